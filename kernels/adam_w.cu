// One decoupled AdamW update (Loshchilov and Hutter), in place, over a piece of a parameter object, in fp32:
//   g *= clip; w *= 1 - lr decay; m += (1 - beta1) (g - m); v = beta2 v + (1 - beta2) g^2;
//   w -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps), with m and v before they are rounded to their type. Root and
//   reciprocal are the special function unit's (1 ulp).
// clip = min(1, clip_norm / (sqrt(sum of squares) + 1e-6)), the sum of squares being that of norms [norm_count] fp64, the squared sums
// of all parameter objects; 1 where norms is null.
//
// adam_w_f32, adam_w_bf16: w, g, m, v [count] of that type; each stored value rounded once, to nearest even.
// adam_w_bf16_sr: w, m, v bf16, g fp32; w, m and v rounded stochastically: up in magnitude with the probability of the part cut off.
//   The 16 random bits of a value are Philox4x32-10 of (seed; element index in the object, step, object and which value it is): the
//   result does not depend on how the object is cut. Element 0 of the piece is element `first` of the object, a multiple of 8.
// adam_w_bf16_master: master, g, m, v fp32; w bf16 is overwritten with master, rounded to nearest even.
//
// decay: 0 where weight decay does not apply. count a multiple of 8 (f32: of 4).
//   grid ceil(count / 2,048) (f32: ceil(count / 1,024)); block 256; no dynamic shared memory.
#include "device.cuh"

// What is the same for all elements.
struct Factors
{
    float clip;
    float keep;
    float beta2;
    float one_minus_beta1;
    float one_minus_beta2;
    float rate;
    float root_correction; // 1 / sqrt(1 - beta2^t)
    float epsilon;
};

// min(1, clip_norm / (norm + 1e-6)); NaN where the norm is. All threads must call it; one does the few operations in fp64.
DEVICE float clip_scale(const StepBlock* step, const double* norms, int32 norm_count)
{
    __shared__ double scratch[32];
    __shared__ float scale;
    double sum = 0;
    for (int i = threadIdx.x; i < norm_count; i += blockDim.x)
    {
        sum += norms[i];
    }

    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0)
    {
        const double ratio = step->clip_norm / (sqrt(sum) + 1e-6);
        scale = ratio >= 1 ? 1.0f : (float)ratio;
    }

    block_barrier();
    return scale;
}

DEVICE Factors step_factors(const StepBlock* step, const double* norms, int32 norm_count, int32 decay)
{
    Factors f;
    f.keep = decay != 0 ? fmaf(-step->learning_rate, step->weight_decay, 1.0f) : 1.0f;
    f.beta2 = step->beta2;
    f.one_minus_beta1 = step->one_minus_beta1;
    f.one_minus_beta2 = step->one_minus_beta2;
    f.rate = step->learning_rate / step->bias_correction1;
    f.root_correction = 1.0f / sqrtf(step->bias_correction2);
    f.epsilon = step->epsilon;
    f.clip = norms != nullptr ? clip_scale(step, norms, norm_count) : 1.0f;
    return f;
}

template <int Width> struct State
{
    float w[Width];
    float g[Width];
    float m[Width];
    float v[Width];
};

template <int Width> DEVICE void update(State<Width>& at, const Factors& f)
{
#pragma unroll
    for (int i = 0; i < Width; i++)
    {
        const float g = at.g[i] * f.clip;
        at.m[i] = fmaf(f.one_minus_beta1, g - at.m[i], at.m[i]);
        at.v[i] = fmaf(at.v[i], f.beta2, g * g * f.one_minus_beta2);
        const float divisor = fmaf(sqrt_fast(at.v[i]), f.root_correction, f.epsilon);
        at.w[i] = fmaf(-f.rate * at.m[i], reciprocal_fast(divisor), at.w[i] * f.keep);
    }
}

// Loads stand before the factors, whose latency they hide.
template <int Width, typename W, typename G, typename M>
DEVICE int64 load_state(State<Width>& at, const W* w, const G* g, const M* m, const M* v, int64 count)
{
    const int64 first = ((int64)blockIdx.x * 256 + threadIdx.x) * Width;
    if (first < count)
    {
        load_elements(w + first, at.w);
        load_elements(g + first, at.g);
        load_elements(m + first, at.m);
        load_elements(v + first, at.v);
    }

    return first;
}

template <typename T>
DEVICE void adam_w(T* w, const T* g, T* m, T* v, const double* norms, const StepBlock* step, int64 count, int32 norm_count, int32 decay)
{
    State<Pack<T>::Count> at = {};
    const int64 first = load_state(at, w, g, m, v, count);
    const Factors factors = step_factors(step, norms, norm_count, decay);
    if (first < count)
    {
        update(at, factors);
        store_elements(w + first, at.w);
        store_elements(m + first, at.m);
        store_elements(v + first, at.v);
    }
}

// Philox4x32 with ten rounds (Salmon et al., 2011).
DEVICE uint4 philox(uint4 counter, uint64 seed)
{
    uint32 key0 = (uint32)seed;
    uint32 key1 = (uint32)(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++)
    {
        const uint64 a = (uint64)0xD2511F53u * counter.x;
        const uint64 b = (uint64)0xCD9E8D57u * counter.z;
        counter = make_uint4((uint32)(b >> 32) ^ counter.y ^ key0, (uint32)b, (uint32)(a >> 32) ^ counter.w ^ key1, (uint32)a);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }

    return counter;
}

// The upper half of value + random; infinities and NaNs as they are.
DEVICE uint32 round_stochastically(float value, uint32 random)
{
    const uint32 bits = float_to_bits(value);
    const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
    return (finite ? bits + random : bits) >> 16;
}

// Eight values, the first of which is element 8 * octet of the object; `which` tells values of one element apart.
DEVICE void store_stochastically(bf16* at, const float (&value)[8], int64 octet, int32 object, uint32 which, const StepBlock* step)
{
    const uint4 random =
        philox(make_uint4((uint32)octet, (uint32)(octet >> 32), (uint32)step->step, (uint32)object * 4 + which), step->seed);
    const uint32 words[4] = {random.x, random.y, random.z, random.w};
    uint32 packed[4];
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        const uint32 low = round_stochastically(value[2 * i], words[i] & 0xffffu);
        packed[i] = low | round_stochastically(value[2 * i + 1], words[i] >> 16) << 16;
    }

    *reinterpret_cast<uint4*>(at) = make_uint4(packed[0], packed[1], packed[2], packed[3]);
}

extern "C" __global__ void __launch_bounds__(256) adam_w_f32(
    float* w, const float* g, float* m, float* v, const double* norms, const StepBlock* step, int64 count, int32 norm_count, int32 decay)
{
    adam_w(w, g, m, v, norms, step, count, norm_count, decay);
}
EXPORT_KERNEL(adam_w_f32)

extern "C" __global__ void __launch_bounds__(256) adam_w_bf16(
    bf16* w, const bf16* g, bf16* m, bf16* v, const double* norms, const StepBlock* step, int64 count, int32 norm_count, int32 decay)
{
    adam_w(w, g, m, v, norms, step, count, norm_count, decay);
}
EXPORT_KERNEL(adam_w_bf16)

extern "C" __global__ void __launch_bounds__(256) adam_w_bf16_sr(bf16* w, const float* g, bf16* m, bf16* v, const double* norms,
    const StepBlock* step, int64 count, int32 norm_count, int32 decay, int32 object, int64 first)
{
    State<8> at = {};
    const int64 mine = load_state(at, w, g, m, v, count);
    const Factors factors = step_factors(step, norms, norm_count, decay);
    if (mine < count)
    {
        update(at, factors);
        const int64 octet = (first + mine) / 8;
        store_stochastically(w + mine, at.w, octet, object, 0, step);
        store_stochastically(m + mine, at.m, octet, object, 1, step);
        store_stochastically(v + mine, at.v, octet, object, 2, step);
    }
}
EXPORT_KERNEL(adam_w_bf16_sr)

extern "C" __global__ void __launch_bounds__(256)
adam_w_bf16_master(float* master, const float* g, float* m, float* v, bf16* w, const double* norms, const StepBlock* step, int64 count,
    int32 norm_count, int32 decay)
{
    State<8> at = {};
    const int64 mine = load_state(at, master, g, m, v, count);
    const Factors factors = step_factors(step, norms, norm_count, decay);
    if (mine < count)
    {
        update(at, factors);
        store_elements(master + mine, at.w);
        store_elements(m + mine, at.m);
        store_elements(v + mine, at.v);
        store_elements(w + mine, at.w);
    }
}
EXPORT_KERNEL(adam_w_bf16_master)
