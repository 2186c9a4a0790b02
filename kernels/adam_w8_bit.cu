// One decoupled AdamW update, in place, over a run of blocks of 256 elements, whose moments are stored as 8-bit codes of numbers that are
// divided by their block's largest magnitude (DynamicMap of src/Dataflow.Model is the definition):
//   m += (1 - beta1) (g - m); v += (1 - beta2) (g^2 - v), the last product and sum of each rounded once together, all else by itself;
//   w *= 1 - lr decay; w -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps), with m and v before they are stored. Root and
//   reciprocal are the special function unit's (1 ulp). lr = the step's * rate_factor, decay = the step's * decay_factor + own_decay.
// Then the scale of m and of v is the largest magnitude of the block, at least 1e-12 (of an infinity infinity, of a NaN NaN), and a code is
// that of the nearest of 256 values to number / scale, ties up. Codes and scales are those of the CPU, to the bit.
//
// Clipping and stochastic rounding of weights: element_update.cuh. Moments are never rounded stochastically.
//
// adam_w8_bit_f32, _bf16: w, g [count] of that type; _bf16_sr: w bf16 rounded stochastically, g fp32, element 0 is element `first` of the
// object, a multiple of 8; _bf16_master: master, g fp32, w bf16 is overwritten with master, rounded to nearest even.
// codes [count], scales [count / 256] fp32, first those of m, then those of v. count: a multiple of 256.
//   grid ceil(count / 8,192); block 256, a warp a block of elements; no dynamic shared memory.
#include "dynamic_map.cuh"
#include "element_update.cuh"

const int BlockElements = 256;
const int Rounds = 4; // blocks of elements that a warp goes through
const int Width = 8;  // elements of a lane
const int Decades = 7;

// How one of the two kinds of moments is coded; places are those of dynamic_map.cuh.
template <bool IsSigned> struct Codes
{
    // By code: the values, and the least numbers that have that code or a larger one.
    float value[BlockElements];
    float threshold[BlockElements];

    static const int Zero = IsSigned ? 127 : 0;

    // An entry for each thread of a block of 256. A barrier must follow.
    __device__ __forceinline__ void fill_values()
    {
        const int code = (int)(threadIdx.x & 0xffu);
        value[code] = dynamic_value<IsSigned>(code);
    }

    // Likewise, once all values are there.
    __device__ __forceinline__ void fill_thresholds()
    {
        const int code = (int)(threadIdx.x & 0xffu);
        if (code == 0)
        {
            threshold[0] = -bits_to_float(0x7f800000u);
            return;
        }

        const float here = value[code];
        const float below = value[code - 1];
        const float half = (here - below) * 0.5f;
        float at = below + half;
        while (at < here && at - below < half)
        {
            at = next(at, 1);
        }

        for (float before = next(at, -1); before >= below && before - below >= half; before = next(at, -1))
        {
            at = before;
        }

        threshold[code] = at;
    }

    // The number beside one that is not 0, in its distance from 0 times the direction of its sign.
    static __device__ __forceinline__ float next(float number, int direction)
    {
        return bits_to_float(float_to_bits(number) + (number < 0 ? -direction : direction));
    }

    // The thresholds of a decade lie evenly, so that the place of a magnitude among them is nearly a line; each decade has a steeper line
    // than the next, so that the least of the lines holds. Rounded, it is the place or one below it: one comparison decides. What is no
    // number has code 0.
    __device__ __forceinline__ uint32 code_of(float scaled) const
    {
        scaled = fmaxf(scaled, IsSigned ? -1.0f : 0.0f);
        const float magnitude = fabsf(scaled);
        float slope = IsSigned ? (float)(1e6 / 0.9) : (float)(2e6 / 0.9);
        int count = IsSigned ? 1 : 2;
        int first = 1;
        float place = 256.0f;
#pragma unroll
        for (int i = 0; i < Decades; i++)
        {
            // Less what makes rounding to nearest round down, and never above the place.
            place = fminf(place, fmaf(magnitude, slope, (float)(first - count / 9.0 - 0.75)));
            first += count;
            count *= 2;
            slope *= 0.2f;
        }

        const int rounded = (int)(float_to_bits(place + 8388608.0f) & 0xffu);
        const int upper = IsSigned && scaled < 0 ? Zero - rounded : Zero + 1 + rounded;
        return (uint32)(scaled >= threshold[upper] ? upper : upper - 1);
    }
};

// The moments of a lane's elements.
struct Moments
{
    uint2 codes;
    float scale;
};

DEVICE void load_moments(Moments& at, const uint8* codes, const float* scales, int64 block)
{
    at.codes = *reinterpret_cast<const uint2*>(codes + block * BlockElements + threadIdx.x % 32 * Width);

    // The lane that replaces it reads it.
    const uint32 scale = threadIdx.x % 32 == 0 ? float_to_bits(scales[block]) : 0;
    at.scale = bits_to_float(shuffle(scale, 0));
}

template <bool IsSigned> DEVICE float moment(const Codes<IsSigned>& table, const Moments& at, int i)
{
    const uint32 word = i < 4 ? at.codes.x : at.codes.y;
    return product(table.value[word >> i % 4 * 8 & 0xffu], at.scale);
}

template <bool IsSigned>
DEVICE void store_moments(const Codes<IsSigned>& table, const float (&m)[Width], uint8* codes, float* scales, int64 block)
{
    // As integers, among which NaNs are above infinity.
    uint32 most = 0;
#pragma unroll
    for (int i = 0; i < Width; i++)
    {
        const uint32 bits = float_to_bits(m[i]) & 0x7fffffffu;
        most = most > bits ? most : bits;
    }

#pragma unroll
    for (int mask = 16; mask > 0; mask >>= 1)
    {
        const uint32 other = float_to_bits(shuffle_xor(bits_to_float(most), mask));
        most = most > other ? most : other;
    }

    const float scale = most > 0x7f800000u ? bits_to_float(0x7fc00000u) : fmaxf(bits_to_float(most), 1e-12f);
    uint32 words[2] = {0, 0};
#pragma unroll
    for (int i = 0; i < Width; i++)
    {
        words[i / 4] |= table.code_of(m[i] / scale) << i % 4 * 8;
    }

    *reinterpret_cast<uint2*>(codes + block * BlockElements + threadIdx.x % 32 * Width) = make_uint2(words[0], words[1]);
    if (threadIdx.x % 32 == 0)
    {
        scales[block] = scale;
    }
}

// Where the moments lie, and what the elements have of their own.
struct EightBitState
{
    uint8* first_codes;
    float* first_scales;
    uint8* second_codes;
    float* second_scales;
    float rate_factor;
    float decay_factor;
    float own_decay;
};

// `store` takes a lane's new weights and the number of the first among the run's; `store.keep` those that stay, where the norm of all
// gradients is not finite.
template <typename W, typename G, typename Store>
DEVICE void update_blocks(const W* w, const G* g, const EightBitState& state, const UpdateContext& context, const Store& store)
{
    __shared__ Codes<true> first_table;
    __shared__ Codes<false> second_table;
    first_table.fill_values();
    second_table.fill_values();
    block_barrier();
    first_table.fill_thresholds();
    second_table.fill_thresholds();
    const StepBlock* step = context.step;
    const float clip = context.norms != nullptr ? clip_scale(step, context.norms, context.norm_count) : 1.0f;
    const float learning_rate = step->learning_rate * state.rate_factor;
    const float keep = fmaf(-learning_rate, fmaf(step->weight_decay, state.decay_factor, state.own_decay), 1.0f);
    const float rate = learning_rate / step->bias_correction1;
    const float root_correction = 1.0f / sqrtf(step->bias_correction2);
    block_barrier();
#pragma unroll 1
    for (int round = 0; round < Rounds; round++)
    {
        const int64 block = ((int64)blockIdx.x * Rounds + round) * 8 + threadIdx.x / 32;
        if (block >= context.count / BlockElements)
        {
            return;
        }

        const int64 mine = block * BlockElements + threadIdx.x % 32 * Width;
        Moments first;
        Moments second;
        float weight[Width];
        float m[Width];
        float v[Width];
        if (clip != clip)
        {
            load_elements(w + mine, weight);
            store.keep(mine, weight);
            continue;
        }

        load_moments(first, state.first_codes, state.first_scales, block);
        load_moments(second, state.second_codes, state.second_scales, block);
        load_elements(w + mine, weight);
        load_elements(g + mine, m);
#pragma unroll
        for (int i = 0; i < Width; i++)
        {
            const float gradient = product(m[i], clip);
            const float old_m = moment(first_table, first, i);
            const float old_v = moment(second_table, second, i);
            m[i] = fmaf(step->one_minus_beta1, gradient - old_m, old_m);
            v[i] = fmaf(step->one_minus_beta2, product(gradient, gradient) - old_v, old_v);
            const float divisor = fmaf(sqrt_fast(v[i]), root_correction, step->epsilon);
            weight[i] = fmaf(-rate * m[i], reciprocal_fast(divisor), weight[i] * keep);
        }

        store(mine, weight);
        store_moments(first_table, m, state.first_codes, state.first_scales, block);
        store_moments(second_table, v, state.second_codes, state.second_scales, block);
    }
}

template <typename T> struct Plain
{
    T* w;

    __device__ __forceinline__ void operator()(int64 at, const float (&weight)[Width]) const { store_elements(w + at, weight); }
    __device__ __forceinline__ void keep(int64, const float (&)[Width]) const {}
};

struct Stochastic
{
    bf16* w;
    const StepBlock* step;
    int32 object;
    int64 first;

    __device__ __forceinline__ void operator()(int64 at, const float (&weight)[Width]) const
    {
        store_stochastically(w + at, weight, Width, (first + at) / Width, object, 0, step);
    }

    __device__ __forceinline__ void keep(int64, const float (&)[Width]) const {}
};

struct WithMaster
{
    float* master;
    bf16* w;

    __device__ __forceinline__ void operator()(int64 at, const float (&weight)[Width]) const
    {
        store_elements(master + at, weight);
        store_elements(w + at, weight);
    }

    __device__ __forceinline__ void keep(int64 at, const float (&weight)[Width]) const { store_elements(w + at, weight); }
};

#define STATE uint8 *first_codes, float *first_scales, uint8 *second_codes, float *second_scales
#define CONTEXT                                                                                                                      \
    const double *norms, const StepBlock *step, int64 count, int32 norm_count, float rate_factor, float decay_factor, float own_decay
#define UPDATE_BLOCKS(w, store)                                                                                                      \
    update_blocks(w, g, {first_codes, first_scales, second_codes, second_scales, rate_factor, decay_factor, own_decay},              \
        {norms, step, count, norm_count, 1}, store)

extern "C" __global__ void __launch_bounds__(256) adam_w8_bit_f32(float* w, const float* g, STATE, CONTEXT)
{
    UPDATE_BLOCKS(w, (Plain<float>{w}));
}
EXPORT_KERNEL(adam_w8_bit_f32)

extern "C" __global__ void __launch_bounds__(256) adam_w8_bit_bf16(bf16* w, const bf16* g, STATE, CONTEXT)
{
    UPDATE_BLOCKS(w, (Plain<bf16>{w}));
}
EXPORT_KERNEL(adam_w8_bit_bf16)

extern "C" __global__ void __launch_bounds__(256)
    adam_w8_bit_bf16_sr(bf16* w, const float* g, STATE, CONTEXT, int32 object, int64 first)
{
    UPDATE_BLOCKS(w, (Stochastic{w, step, object, first}));
}
EXPORT_KERNEL(adam_w8_bit_bf16_sr)

extern "C" __global__ void __launch_bounds__(256) adam_w8_bit_bf16_master(float* master, const float* g, STATE, bf16* w, CONTEXT)
{
    UPDATE_BLOCKS(master, (WithMaster{master, w}));
}
EXPORT_KERNEL(adam_w8_bit_bf16_master)
