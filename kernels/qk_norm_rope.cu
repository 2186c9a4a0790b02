// From the joint projection of queries, keys and values to what attention reads, and back. Rotary positions: the pair (i, i + hd / 2) of
// each query and key head turned by position times frequency i, in radians, cosine and sine multiplied by the factor where the frequency
// is not 0. H heads, K KV heads, hd = head_dim; row t stands at position row_offset + t - first_key[t]. Last, queries are multiplied by
// their scale (struct Rotary). An RMS norm with weights w + weight_offset, by the kernel's name:
//
//   rope_*              none
//   qk_norm_rope_*      each head by itself, before it is turned; q_norm, k_norm [hd]
//   rope_qk_norm_*      each head by itself, after it was turned; q_norm, k_norm [hd]
//   qk_row_norm_rope_*  all query heads of a row together, and all key heads, before they are turned; q_norm [H hd], k_norm [K hd]
//   qk_layer_norm_rope_* each head by itself, less its mean, before it is turned; q_norm [H hd], k_norm [K hd]: each head's own
//   qkv_norm_rope_*     as qk_norm_rope_*, and each value head by itself without weights; value_heads is K as it is of all, or 0 where
//                       values are the keys as they are in qkv, which then has rows of (H + K) hd
//
// *_forward_<f32|bf16>: qkv [rows, (H + 2K) hd]: query, key, value heads. Overwrites q [rows, H hd] and kv [rows, 2K hd] (keys, values);
//   null skips either.
//
// *_backward_<f32|bf16>: dq [rows, H hd]; dkv [rows, 2K hd] fp32; qkv the forward's input. Overwrites dqkv [rows, (H + 2K) hd] and,
//   with norms, q_partials, k_partials [grid, weights of the norm] fp32: the sums over the block's tokens (and heads, where these share
//   weights) of g n, g the gradient of the norm's output, n = x rstd. The weights' gradients are column_sum.cu over them.
//
// K may be 0, of a layer that attends to another's keys and values: k_norm, kv, dkv and k_partials are not touched then.
//
// No operand may overlap another. Angles are fp64 turns, brought within an eighth of a turn before they become fp32: right to 1e-7 at
// positions of a million. The rest is fp32, each output rounded once.
//   grid ceil(rows / 16); block 256; dynamic shared memory 68 hd + 192 bytes; backward of heads that share weights 1,024 hd / L more, L
//   the lanes of a head: ceil(hd / 2 / Count) rounded up to a power of two, Count elements in 16 bytes; workspace of each partials 4
//   bytes times its weights times grid. hd even, at most 512; where half of it is no multiple of Count, the entry points ending in
//   _unaligned; fp32 of hd above 256, those ending in _wide, whose Count is 8.
#include "qk_norm_rope_rows.cuh"
#include "qk_norm_rope_values.cuh"

// Norms and turns `heads` heads a token, from rows of from_stride elements to rows of to_stride; scales: null, or a token's multiplier.
template <Normed What, Fit Whole, typename T>
DEVICE void turn_heads(const T* from, int64 from_stride, T* to, int64 to_stride, int heads, const T* norm, const NormOf& of,
    const TokenValues& values, const float* scales, const Share& share)
{
    const int width = width_of<Whole, T>();
    const bool of_rows = What == Normed::Rows, own_weights = of_rows || What == Normed::HeadsCentred;
    if constexpr (of_rows)
    {
        row_rstds<Whole>(from, from_stride, heads, of, values.rstds, share);
    }

    Runs<width> weight = load_weights<Whole, width>(norm, What != Normed::Nothing && !own_weights, of, share);
    for (int base = 0; base < share.tokens * heads; base += share.groups)
    {
        const int item = base + share.group;
        const bool active = item < share.tokens * heads;
        const int token = active ? item / heads : 0;
        const int head = active ? item % heads * 2 * share.half : 0;
        Runs<width> x = load_runs<Whole, width>(from + token * from_stride + head, share.half, active, share);
        if constexpr (What == Normed::HeadsAfterRotation)
        {
            rotate<Whole>(x, values.angles, token, 1.0f, share);
        }

        if constexpr (What != Normed::Nothing)
        {
            if constexpr (What == Normed::HeadsCentred)
            {
                centre(x, share);
            }

            if constexpr (own_weights)
            {
                weight = load_weights<Whole, width>(norm + head, active, of, share);
            }

            const float scale = of_rows ? values.rstds[token] : head_rstd(x, of.eps, share);
#pragma unroll
            for (int i = 0; i < 2 * width; i++)
            {
                float& value = x.v[i / width][i % width];
                value = value * scale * weight.v[i / width][i % width];
            }
        }

        if constexpr (What != Normed::HeadsAfterRotation)
        {
            rotate<Whole>(x, values.angles, token, 1.0f, share);
        }

        if (scales != nullptr)
        {
            multiply(x, scales[token]);
        }

        store_runs<Whole>(to + token * to_stride + head, x, active, share);
    }
}

// turn_heads backwards where no norm or one of single heads is, from gradients in rows of from_stride elements; x and dx
// have rows of `stride`. OfValues: they are values, too, whose gradients stand behind those of all heads. Returns the sums of g n.
template <Normed What, Fit Whole, bool OfValues = false, typename G, typename T>
DEVICE Runs<width_of<Whole, T>()> turn_heads_back(const G* from, int64 from_stride, const T* x, T* dx, int64 stride, int heads,
    const T* norm, const NormOf& of, const TokenValues& values, const float* scales, const Share& share)
{
    const int width = width_of<Whole, T>();
    const bool has_norm = What != Normed::Nothing, after = What == Normed::HeadsAfterRotation;
    const Runs<width> weight = load_weights<Whole, width>(norm, has_norm, of, share);
    Runs<width> sums = {};
    for (int base = 0; base < share.tokens * heads; base += share.groups)
    {
        const int item = base + share.group;
        const bool active = item < share.tokens * heads;
        const int token = active ? item / heads : 0;
        const int head = active ? item % heads * 2 * share.half : 0;
        Runs<width> g = load_runs<Whole, width>(from + token * from_stride + head, share.half, active, share);
        Runs<width> input = load_runs<Whole, width>(x + token * stride + head, share.half, active && has_norm, share);
        if (scales != nullptr)
        {
            multiply(g, scales[token]);
        }

        if constexpr (after)
        {
            rotate<Whole>(input, values.angles, token, 1.0f, share);
        }
        else
        {
            rotate<Whole>(g, values.angles, token, -1.0f, share);
        }

        if constexpr (has_norm)
        {
            const float scale = head_rstd(input, of.eps, share);
            weigh(g, input, weight, scale, sums);
            pull(g, input, scale, pull_of(g, input, scale, share));
            if constexpr (OfValues)
            {
                const G* of_values = from + token * from_stride + heads * 2 * share.half + head;
                add_values_back<Whole>(g, of_values, input, scale, active, share);
            }
        }

        if constexpr (after)
        {
            rotate<Whole>(g, values.angles, token, -1.0f, share);
        }

        store_runs<Whole>(dx + token * stride + head, g, active, share);
    }

    return sums;
}
template <Normed What, Fit Whole, typename T>
DEVICE void forward(const T* qkv, const int32* first_key, const T* q_norm, const T* k_norm, T* q, T* kv, const Rotary& rotary,
    const NormOf& of, const Shape& shape)
{
    DYNAMIC_SHARED(shared);
    const TokenValues values = fill_angles(shared, first_key, rotary, shape);
    const float* scales = rotary.query_beta == 0 ? nullptr : values.scales;
    const Share share = share_heads(shape, width_of<Whole, T>());
    const int q_width = shape.q_width(), kv_width = shape.kv_width();
    const int64 stride = shape.stride();
    const int64 row = (int64)blockIdx.x * Tokens;
    qkv += row * stride;
    if (q != nullptr)
    {
        turn_heads<What, Whole>(qkv, stride, q + row * q_width, q_width, shape.heads, q_norm, of, values, scales, share);
    }

    if (kv != nullptr)
    {
        kv += row * (2 * kv_width);
        turn_heads<What, Whole>(qkv + q_width, stride, kv, 2 * kv_width, shape.kv_heads, k_norm, of, values, nullptr, share);
        if constexpr (What == Normed::HeadsAndValues)
        {
            const T* from = qkv + q_width + shape.value_heads * shape.head_dim;
            norm_values<Whole>(from, stride, kv + kv_width, 2 * kv_width, shape.kv_heads, of.eps, share);
        }
        else
        {
            copy_values<Whole>(qkv + q_width + kv_width, stride, kv + kv_width, 2 * kv_width, kv_width, share.tokens);
        }
    }
}

template <Normed What, Fit Whole, typename T>
DEVICE void backward(const T* dq, const float* dkv, const int32* first_key, const T* qkv, const T* q_norm, const T* k_norm, T* dqkv,
    float* q_partials, float* k_partials, const Rotary& rotary, const NormOf& of, const Shape& shape)
{
    DYNAMIC_SHARED(shared);
    const TokenValues values = fill_angles(shared, first_key, rotary, shape);
    const float* scales = rotary.query_beta == 0 ? nullptr : values.scales;
    const Share share = share_heads(shape, width_of<Whole, T>());
    const int q_width = shape.q_width(), kv_width = shape.kv_width();
    const int64 stride = shape.stride();
    const int64 row = (int64)blockIdx.x * Tokens;
    dq += row * q_width;
    dkv += row * 2 * kv_width;
    qkv += What != Normed::Nothing ? row * stride : 0;
    dqkv += row * stride;
    if constexpr (What == Normed::HeadsCentred)
    {
        float* sums = q_partials + (int64)blockIdx.x * q_width;
        turn_centred_back<Whole>(dq, q_width, qkv, dqkv, stride, shape.heads, q_norm, of, values, scales, sums, share);
        if (kv_width == 0)
        {
            return;
        }

        qkv += q_width;
        sums = k_partials + (int64)blockIdx.x * kv_width;
        turn_centred_back<Whole>(dkv, 2 * kv_width, qkv, dqkv + q_width, stride, shape.kv_heads, k_norm, of, values, nullptr, sums, share);
    }
    else if constexpr (What == Normed::Rows)
    {
        float* sums = q_partials + (int64)blockIdx.x * q_width;
        turn_rows_back<Whole>(dq, q_width, qkv, dqkv, stride, shape.heads, q_norm, of, values, scales, sums, share);
        if (kv_width == 0)
        {
            return;
        }

        qkv += q_width;
        sums = k_partials + (int64)blockIdx.x * kv_width;
        turn_rows_back<Whole>(dkv, 2 * kv_width, qkv, dqkv + q_width, stride, shape.kv_heads, k_norm, of, values, nullptr, sums, share);
    }
    else
    {
        auto sums = turn_heads_back<What, Whole>(dq, q_width, qkv, dqkv, stride, shape.heads, q_norm, of, values, scales, share);
        if constexpr (What != Normed::Nothing)
        {
            add_groups<Whole>(sums, values.rest, q_partials + (int64)blockIdx.x * shape.head_dim, share);
            qkv += q_width;
        }

        if (kv_width == 0)
        {
            return;
        }

        T* dkeys = dqkv + q_width;
        const int64 from = 2 * kv_width;
        sums = What == Normed::HeadsAndValues && shape.value_heads == 0
            ? turn_heads_back<What, Whole, What == Normed::HeadsAndValues>(
                  dkv, from, qkv, dkeys, stride, shape.kv_heads, k_norm, of, values, nullptr, share)
            : turn_heads_back<What, Whole>(dkv, from, qkv, dkeys, stride, shape.kv_heads, k_norm, of, values, nullptr, share);
        if constexpr (What != Normed::Nothing)
        {
            add_groups<Whole>(sums, values.rest, k_partials + (int64)blockIdx.x * shape.head_dim, share);
        }
    }

    if constexpr (What == Normed::HeadsAndValues)
    {
        if (shape.value_heads > 0)
        {
            norm_values_back<Whole>(
                dkv + kv_width, 2 * kv_width, qkv + kv_width, dqkv + q_width + kv_width, stride, shape.kv_heads, of.eps, share);
        }

        return;
    }

    copy_values<Whole>(dkv + kv_width, 2 * kv_width, dqkv + q_width + kv_width, stride, kv_width, share.tokens);
}

#define SHAPE_PARAMETERS int32 rows, int32 row_offset, int32 heads, int32 kv_heads, int32 head_dim
#define SHAPE (Shape{rows, row_offset, heads, kv_heads, head_dim, kv_heads})
#define NORM_PARAMETERS SHAPE_PARAMETERS, int32 value_heads
#define NORM_SHAPE (Shape{rows, row_offset, heads, kv_heads, head_dim, value_heads})

// A least number of blocks frees the compiler to spend registers, which it would else save and spill.
#define SAVING __launch_bounds__(256)
#define SPENDING __launch_bounds__(256, 1)

// The entry points of one norm and type, which differ in name alone from type to type and where half a head is not made of packs.
#define NORM_ENTRY_POINTS(name, what, type, suffix, whole, bounds)                                                                      \
    extern "C" __global__ void bounds                                                                                                   \
    name##_forward_##suffix(const type* qkv, const int32* first_key, const type* q_norm, const type* k_norm, type* q, type* kv,         \
        const __grid_constant__ Rotary rotary, float eps, float weight_offset, NORM_PARAMETERS)                                         \
    {                                                                                                                                   \
        forward<what, whole, type>(qkv, first_key, q_norm, k_norm, q, kv, rotary, NormOf{eps, weight_offset}, NORM_SHAPE);              \
    }                                                                                                                                   \
    EXPORT_KERNEL(name##_forward_##suffix)                                                                                              \
    extern "C" __global__ void bounds                                                                                                   \
    name##_backward_##suffix(const type* dq, const float* dkv, const int32* first_key, const type* qkv, const type* q_norm,             \
        const type* k_norm, type* dqkv, float* q_partials, float* k_partials, const __grid_constant__ Rotary rotary, float eps,         \
        float weight_offset, NORM_PARAMETERS)                                                                                           \
    {                                                                                                                                   \
        backward<what, whole, type>(dq, dkv, first_key, qkv, q_norm, k_norm, dqkv, q_partials, k_partials, rotary,                      \
            NormOf{eps, weight_offset}, NORM_SHAPE);                                                                                    \
    }                                                                                                                                   \
    EXPORT_KERNEL(name##_backward_##suffix)

#define ENTRY_POINTS(type, suffix, whole, rope_bounds, norm_bounds)                                                                     \
    NORM_ENTRY_POINTS(qk_norm_rope, Normed::Heads, type, suffix, whole, norm_bounds)                                                    \
    NORM_ENTRY_POINTS(rope_qk_norm, Normed::HeadsAfterRotation, type, suffix, whole, norm_bounds)                                       \
    NORM_ENTRY_POINTS(qk_row_norm_rope, Normed::Rows, type, suffix, whole, norm_bounds)                                                 \
    NORM_ENTRY_POINTS(qk_layer_norm_rope, Normed::HeadsCentred, type, suffix, whole, norm_bounds)                                       \
    NORM_ENTRY_POINTS(qkv_norm_rope, Normed::HeadsAndValues, type, suffix, whole, norm_bounds)                                          \
    extern "C" __global__ void rope_bounds                                                                                              \
    rope_forward_##suffix(const type* qkv, const int32* first_key, type* q, type* kv, const __grid_constant__ Rotary rotary,            \
        SHAPE_PARAMETERS)                                                                                                               \
    {                                                                                                                                   \
        forward<Normed::Nothing, whole, type>(qkv, first_key, nullptr, nullptr, q, kv, rotary, NormOf{}, SHAPE);                        \
    }                                                                                                                                   \
    EXPORT_KERNEL(rope_forward_##suffix)                                                                                                \
    extern "C" __global__ void rope_bounds                                                                                              \
    rope_backward_##suffix(const type* dq, const float* dkv, const int32* first_key, type* dqkv,                                        \
        const __grid_constant__ Rotary rotary, SHAPE_PARAMETERS)                                                                        \
    {                                                                                                                                   \
        backward<Normed::Nothing, whole, type>(dq, dkv, first_key, nullptr, nullptr, nullptr, dqkv, nullptr, nullptr, rotary, NormOf{}, \
            SHAPE);                                                                                                                     \
    }                                                                                                                                   \
    EXPORT_KERNEL(rope_backward_##suffix)

ENTRY_POINTS(float, f32, Fit::Packs, SAVING, SPENDING)
ENTRY_POINTS(bf16, bf16, Fit::Packs, SAVING, SAVING)
ENTRY_POINTS(float, f32_unaligned, Fit::Elements, SPENDING, SPENDING)
ENTRY_POINTS(bf16, bf16_unaligned, Fit::Elements, SPENDING, SPENDING)
ENTRY_POINTS(float, f32_wide, Fit::Eights, SPENDING, SPENDING)
