// The update of an elementwise optimizer, in place, over a piece of a parameter object, in fp32, whatever its rule: loading, clipping,
// rounding and storing. A rule is a struct with
//   static const int Moments: how many numbers it keeps of each weight;
//   of(step, rate, decay): the rule of a step, with the learning rate and the weight decay of these elements;
//   apply(w, g, m): replaces a weight and its moments, g being clipped.
//
//   g *= clip_norm's factor = min(1, clip_norm / (sqrt(sum of squares) + 1e-6)), the sum of squares being that of norms [norm_count] fp64,
//   the squared sums of all parameter objects; 1 where norms is null. Where that sum, or the factor, is not finite, weights and moments
//   stay as they are, bit for bit; bf16 weights beside master weights are written all the same, as these rounded.
//
// Moments lie one behind the other: element i of the k-th is moments[k * stride + i]. New weights use them before they are rounded.
//
// <rule>_f32, <rule>_bf16: w, g, moments [count] of that type; each stored value rounded once, to nearest even.
// <rule>_bf16_sr: w, moments bf16, g fp32; w and moments rounded stochastically: up in magnitude with the probability of the part cut
//   off. The 16 random bits of a value are Philox4x32-10 of (seed; element index in the object, step, object and which value it is): the
//   result does not depend on how the object is cut. Element 0 of the piece is element `first` of the object, a multiple of 8.
// <rule>_bf16_master: master, g, moments fp32; w bf16 is overwritten with master, rounded to nearest even.
//
// The learning rate of these elements is the step's times rate_factor, their weight decay is the step's times decay_factor plus own_decay.
// With 1, 1 and 0 both are the step's to the bit. Any count.
//   grid ceil(count / 2,048) (f32: ceil(count / 1,024)); block 256; no dynamic shared memory.
#pragma once
#include "device.cuh"
#include "philox.cuh"

// The functions of a rule.
#define RULE __device__ __forceinline__

// min(1, clip_norm / (norm + 1e-6)); NaN where the norm is not finite. All threads must call it; one does the few operations in fp64.
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
        const double ratio = step->clip_norm / (sqrt(sum) + 1e-6) + (sum - sum);
        scale = ratio >= 1 ? 1.0f : (float)ratio;
    }

    block_barrier();
    return scale;
}

// What a launch knows of its elements besides where they lie.
struct UpdateContext
{
    const double* norms;
    const StepBlock* step;
    int64 count;
    int32 norm_count;
    float rate_factor;
    float decay_factor;
    float own_decay;
};

// Some elements that follow each other.
template <typename Rule, int Width> struct UpdateState
{
    float w[Width];
    float g[Width];
    float m[Rule::Moments][Width];
};

// Loads stand before what is the same for all elements, whose latency they hide.
template <typename Rule, int Width, typename W, typename G, typename M>
DEVICE int64 load_state(UpdateState<Rule, Width>& at, const W* w, const G* g, const M* moments, int64 stride, int64 count)
{
    const int64 first = ((int64)blockIdx.x * 256 + threadIdx.x) * Width;
    if (first < count)
    {
        load_first(w + first, at.w, count - first);
        load_first(g + first, at.g, count - first);
#pragma unroll
        for (int k = 0; k < Rule::Moments; k++)
        {
            load_first(moments + k * stride + first, at.m[k], count - first);
        }
    }

    return first;
}

// Whether anything is to be stored. All threads must call it.
template <typename Rule, int Width> DEVICE bool update(UpdateState<Rule, Width>& at, int64 first, const UpdateContext& context)
{
    const StepBlock* step = context.step;
    const float rate = step->learning_rate * context.rate_factor;
    const Rule rule = Rule::of(step, rate, fmaf(step->weight_decay, context.decay_factor, context.own_decay));
    const float clip = context.norms != nullptr ? clip_scale(step, context.norms, context.norm_count) : 1.0f;
    if (first >= context.count || clip != clip)
    {
        return false;
    }

#pragma unroll
    for (int i = 0; i < Width; i++)
    {
        float m[Rule::Moments];
#pragma unroll
        for (int k = 0; k < Rule::Moments; k++)
        {
            m[k] = at.m[k][i];
        }

        rule.apply(at.w[i], at.g[i] * clip, m);
#pragma unroll
        for (int k = 0; k < Rule::Moments; k++)
        {
            at.m[k][i] = m[k];
        }
    }

    return true;
}

template <typename Rule, int Width, typename M>
DEVICE void store_moments(const UpdateState<Rule, Width>& at, M* moments, int64 stride, int64 first, int64 count)
{
#pragma unroll
    for (int k = 0; k < Rule::Moments; k++)
    {
        store_first(moments + k * stride + first, at.m[k], count - first);
    }
}

template <typename Rule, typename T> DEVICE void update_elements(T* w, const T* g, T* moments, int64 stride, const UpdateContext& context)
{
    UpdateState<Rule, Pack<T>::Count> at = {};
    const int64 first = load_state(at, w, g, moments, stride, context.count);
    if (update(at, first, context))
    {
        store_first(w + first, at.w, context.count - first);
        store_moments(at, moments, stride, first, context.count);
    }
}

template <typename Rule>
DEVICE void update_master(float* master, const float* g, float* moments, int64 stride, bf16* w, const UpdateContext& context)
{
    UpdateState<Rule, 8> at = {};
    const int64 first = load_state(at, master, g, moments, stride, context.count);
    if (update(at, first, context))
    {
        store_first(master + first, at.w, context.count - first);
        store_moments(at, moments, stride, first, context.count);
    }

    // What lies there is not read: it is written in any case.
    if (first < context.count)
    {
        store_first(w + first, at.w, context.count - first);
    }
}

// The upper half of value + random; infinities and NaNs as they are.
DEVICE uint32 round_stochastically(float value, uint32 random)
{
    const uint32 bits = float_to_bits(value);
    const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
    return (finite ? bits + random : bits) >> 16;
}

// Eight values, of which the first `here` are stored; the first is element 8 * octet of the object; `which` tells values of one element
// apart.
DEVICE void store_stochastically(
    bf16* at, const float (&value)[8], int64 here, int64 octet, int32 object, uint32 which, const StepBlock* step)
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

    if (here >= 8)
    {
        *reinterpret_cast<uint4*>(at) = make_uint4(packed[0], packed[1], packed[2], packed[3]);
        return;
    }

#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        if (i < here)
        {
            at[i] = bf16{(uint16)(packed[i / 2] >> i % 2 * 16)};
        }
    }
}

template <typename Rule>
DEVICE void update_stochastically(
    bf16* w, const float* g, bf16* moments, int64 stride, const UpdateContext& context, int32 object, int64 first)
{
    UpdateState<Rule, 8> at = {};
    const int64 mine = load_state(at, w, g, moments, stride, context.count);
    if (update(at, mine, context))
    {
        const int64 octet = (first + mine) / 8;
        const int64 here = context.count - mine;
        store_stochastically(w + mine, at.w, here, octet, object, 0, context.step);
#pragma unroll
        for (int k = 0; k < Rule::Moments; k++)
        {
            store_stochastically(moments + k * stride + mine, at.m[k], here, octet, object, k + 1, context.step);
        }
    }
}

#define UPDATE_FACTORS float rate_factor, float decay_factor, float own_decay

// The four entry points of a rule.
#define UPDATES(name, Rule)                                                                                                           \
    extern "C" __global__ void __launch_bounds__(256) name##_f32(float* w, const float* g, float* moments, int64 stride,              \
        const double* norms, const StepBlock* step, int64 count, int32 norm_count, UPDATE_FACTORS)                                    \
    {                                                                                                                                 \
        update_elements<Rule>(w, g, moments, stride, {norms, step, count, norm_count, rate_factor, decay_factor, own_decay});         \
    }                                                                                                                                 \
    EXPORT_KERNEL(name##_f32)                                                                                                         \
    extern "C" __global__ void __launch_bounds__(256) name##_bf16(bf16* w, const bf16* g, bf16* moments, int64 stride,                \
        const double* norms, const StepBlock* step, int64 count, int32 norm_count, UPDATE_FACTORS)                                    \
    {                                                                                                                                 \
        update_elements<Rule>(w, g, moments, stride, {norms, step, count, norm_count, rate_factor, decay_factor, own_decay});         \
    }                                                                                                                                 \
    EXPORT_KERNEL(name##_bf16)                                                                                                        \
    extern "C" __global__ void __launch_bounds__(256) name##_bf16_sr(bf16* w, const float* g, bf16* moments, int64 stride,            \
        const double* norms, const StepBlock* step, int64 count, int32 norm_count, UPDATE_FACTORS, int32 object, int64 first)         \
    {                                                                                                                                 \
        const UpdateContext context = {norms, step, count, norm_count, rate_factor, decay_factor, own_decay};                         \
        update_stochastically<Rule>(w, g, moments, stride, context, object, first);                                                   \
    }                                                                                                                                 \
    EXPORT_KERNEL(name##_bf16_sr)                                                                                                     \
    extern "C" __global__ void __launch_bounds__(256) name##_bf16_master(float* master, const float* g, float* moments, int64 stride, \
        bf16* w, const double* norms, const StepBlock* step, int64 count, int32 norm_count, UPDATE_FACTORS)                           \
    {                                                                                                                                 \
        update_master<Rule>(master, g, moments, stride, w, {norms, step, count, norm_count, rate_factor, decay_factor, own_decay});   \
    }                                                                                                                                 \
    EXPORT_KERNEL(name##_bf16_master)
