// From the joint projection of queries, keys and values to what attention reads, and back: an RMS norm of each query and key head
// (qk_norm_rope_*; rope_* have none), then rotary positions: the pair (i, i + hd / 2) turned by position times frequency i, in
// radians, cosine and sine multiplied by the factor where the frequency is not 0. H heads, K KV heads, hd = head_dim; row t stands at
// position row_offset + t - first_key[t].
//
// qk_norm_rope_forward_<f32|bf16>, rope_forward_<f32|bf16>: qkv [rows, (H + 2K) hd]: query, key, value heads; q_norm, k_norm [hd].
//   Overwrites q [rows, H hd] and kv [rows, 2K hd] (keys, values); null skips either.
//
// qk_norm_rope_backward_<f32|bf16>, rope_backward_<f32|bf16>: dq [rows, H hd]; dkv [rows, 2K hd] fp32; qkv the forward's input.
//   Overwrites dqkv [rows, (H + 2K) hd] and, with norms, q_partials, k_partials [grid, hd] fp32: the sums over the block's tokens and
//   heads of g n, g the gradient after the inverse rotation, n = x rstd. The weights' gradients are column_sum.cu over them.
//
// No operand may overlap another. Angles are fp64 turns, brought within an eighth of a turn before they become fp32: right to 1e-7 at
// positions of a million. The rest is fp32, each output rounded once.
//   grid ceil(rows / 16); block 256; dynamic shared memory 68 hd bytes; qk_norm_rope_backward: 68 hd + 1,024 hd / L, with L the lanes
//   of a head: ceil(hd / 2 / Count) rounded up to a power of two, Count elements in 16 bytes; workspace of each partials 4 hd grid
//   bytes. hd even, at most 256, a multiple of Count; where half of it is none, the entry points ending in _unaligned.
#include "qk_norm_rope_runs.cuh"

const int Tokens = 16; // of a block

// src/Dataflow.Cuda/Kernels/RotaryParameter.cs writes it.
struct Rotary
{
    double frequencies[128];
    float factor;
};

struct Shape
{
    int32 rows;
    int32 row_offset;
    int32 heads;
    int32 kv_heads;
    int32 head_dim;
};

// The cosine and sine of 2 pi `turns`.
DEVICE void cosine_and_sine(double turns, float& cosine, float& sine)
{
    const double quarters = rint(4 * turns);
    const float x = (float)((turns - 0.25 * quarters) * 6.283185307179586);
    const float square = x * x;

    // Taylor polynomials: |x| is at most pi / 4, where the first term left out is 2e-9 of the sine and 2e-10 of the cosine.
    float s = fmaf(square, 2.7557319e-6f, -1.9841270e-4f);
    s = fmaf(square, s, 8.3333333e-3f);
    s = fmaf(square, s, -1.6666667e-1f);
    s = fmaf(x * square, s, x);
    float c = fmaf(square, -2.7557319e-7f, 2.4801587e-5f);
    c = fmaf(square, c, -1.3888889e-3f);
    c = fmaf(square, c, 4.1666667e-2f);
    c = fmaf(square, c, -0.5f);
    c = fmaf(square, c, 1.0f);
    const int quadrant = (int)quarters & 3;
    const float swapped_cosine = quadrant % 2 == 0 ? c : s;
    const float swapped_sine = quadrant % 2 == 0 ? s : c;
    cosine = quadrant == 1 || quadrant == 2 ? -swapped_cosine : swapped_cosine;
    sine = quadrant >= 2 ? -swapped_sine : swapped_sine;
}

// In shared memory: the cosines of the block's tokens, [Tokens, half], then their sines.
DEVICE const float* fill_angles(unsigned char* shared, const int32* first_key, const Rotary& rotary, const Shape& shape)
{
    const int half = shape.head_dim / 2;
    double* turns = reinterpret_cast<double*>(shared);
    float* angles = reinterpret_cast<float*>(turns + half);
    for (int i = threadIdx.x; i < half; i += blockDim.x)
    {
        turns[i] = rotary.frequencies[i] * 0.15915494309189535;
    }

    block_barrier();
    for (int at = threadIdx.x; at < Tokens * half; at += blockDim.x)
    {
        const int token = blockIdx.x * Tokens + at / half;
        if (token < shape.rows)
        {
            const int position = shape.row_offset + token - first_key[token];
            const double turn = turns[at % half];
            const float factor = turn == 0 ? 1.0f : rotary.factor;
            float cosine, sine;
            cosine_and_sine(position * turn, cosine, sine);
            angles[at] = cosine * factor;
            angles[Tokens * half + at] = sine * factor;
        }
    }

    block_barrier();
    return angles;
}

DEVICE Share share_heads(const Shape& shape, int width)
{
    Share share;
    const int left = shape.rows - (int)blockIdx.x * Tokens;
    share.tokens = left < Tokens ? left : Tokens;
    share.half = shape.head_dim / 2;
    share.lanes = 1;
    while (share.lanes * width < share.half)
    {
        share.lanes *= 2;
    }

    share.start = threadIdx.x % share.lanes * width;
    share.group = threadIdx.x / share.lanes;
    share.groups = blockDim.x / share.lanes;
    return share;
}

// Turns pairs by the angles of one token; backwards with direction -1.
template <bool Whole, int Width> DEVICE void rotate(Runs<Width>& runs, const float* angles, int token, float direction, const Share& share)
{
    const Runs<Width> turn = load_runs<Whole, Width>(angles + token * share.half, Tokens * share.half, true, share);
#pragma unroll
    for (int c = 0; c < Width; c++)
    {
        const float x1 = runs.v[0][c];
        const float x2 = runs.v[1][c];
        const float sine = direction * turn.v[1][c];
        runs.v[0][c] = fmaf(x1, turn.v[0][c], -(x2 * sine));
        runs.v[1][c] = fmaf(x2, turn.v[0][c], x1 * sine);
    }
}

template <int Width> DEVICE float head_dot(const Runs<Width>& a, const Runs<Width>& b, const Share& share)
{
    float dot = 0;
#pragma unroll
    for (int i = 0; i < 2 * Width; i++)
    {
        dot = fmaf(a.v[i / Width][i % Width], b.v[i / Width][i % Width], dot);
    }

    for (int mask = share.lanes / 2; mask > 0; mask /= 2)
    {
        dot += shuffle_xor(dot, mask);
    }

    return dot;
}

template <int Width> DEVICE float head_rstd(const Runs<Width>& x, float eps, const Share& share)
{
    return 1.0f / sqrtf(head_dot(x, x, share) / (float)(2 * share.half) + eps);
}

// Norms and turns `heads` heads a token, from rows of from_stride elements to rows of to_stride.
template <bool Norm, bool Whole, typename T>
DEVICE void turn_heads(const T* from, int64 from_stride, T* to, int64 to_stride, int heads, const T* norm, float eps, const float* angles,
    const Share& share)
{
    const int width = Pack<T>::Count;
    const Runs<width> weight = load_runs<Whole, width>(norm, share.half, Norm, share);
    for (int base = 0; base < share.tokens * heads; base += share.groups)
    {
        const int item = base + share.group;
        const bool active = item < share.tokens * heads;
        const int token = active ? item / heads : 0;
        const int head = active ? item % heads * 2 * share.half : 0;
        Runs<width> x = load_runs<Whole, width>(from + token * from_stride + head, share.half, active, share);
        if constexpr (Norm)
        {
            const float scale = head_rstd(x, eps, share);
#pragma unroll
            for (int i = 0; i < 2 * width; i++)
            {
                float& value = x.v[i / width][i % width];
                value = value * scale * weight.v[i / width][i % width];
            }
        }

        rotate<Whole>(x, angles, token, 1.0f, share);
        store_runs<Whole>(to + token * to_stride + head, x, active, share);
    }
}

// The same backwards, from gradients in rows of from_stride elements; x and dx have rows of `stride`. Returns the sums of g n.
template <bool Norm, bool Whole, typename G, typename T>
DEVICE Runs<Pack<T>::Count> turn_heads_back(const G* from, int64 from_stride, const T* x, T* dx, int64 stride, int heads, const T* norm,
    float eps, const float* angles, const Share& share)
{
    const int width = Pack<T>::Count;
    const Runs<width> weight = load_runs<Whole, width>(norm, share.half, Norm, share);
    Runs<width> sums = {};
    for (int base = 0; base < share.tokens * heads; base += share.groups)
    {
        const int item = base + share.group;
        const bool active = item < share.tokens * heads;
        const int token = active ? item / heads : 0;
        const int head = active ? item % heads * 2 * share.half : 0;
        Runs<width> g = load_runs<Whole, width>(from + token * from_stride + head, share.half, active, share);
        const Runs<width> input = load_runs<Whole, width>(x + token * stride + head, share.half, active && Norm, share);
        rotate<Whole>(g, angles, token, -1.0f, share);
        if constexpr (Norm)
        {
            const float scale = head_rstd(input, eps, share);
#pragma unroll
            for (int i = 0; i < 2 * width; i++)
            {
                float& sum = sums.v[i / width][i % width];
                sum = fmaf(g.v[i / width][i % width], input.v[i / width][i % width] * scale, sum);
                g.v[i / width][i % width] *= weight.v[i / width][i % width];
            }

            const float pull = -(head_dot(g, input, share) * scale * scale * scale / (float)(2 * share.half));
#pragma unroll
            for (int i = 0; i < 2 * width; i++)
            {
                float& value = g.v[i / width][i % width];
                value = fmaf(input.v[i / width][i % width], pull, value * scale);
            }
        }

        store_runs<Whole>(dx + token * stride + head, g, active, share);
    }

    return sums;
}

// The groups' sums added up in ascending order: partial [head_dim]. `scratch` is shared memory of groups * head_dim floats.
template <bool Whole, int Width> DEVICE void add_groups(const Runs<Width>& sums, float* scratch, float* partial, const Share& share)
{
    const int head_dim = 2 * share.half;
    block_barrier();
    store_runs<Whole>(scratch + share.group * head_dim, sums, true, share);
    block_barrier();
    for (int c = threadIdx.x; c < head_dim; c += blockDim.x)
    {
        float sum = 0;
        for (int group = 0; group < share.groups; group++)
        {
            sum += scratch[group * head_dim + c];
        }

        partial[c] = sum;
    }
}

// The values: `width` elements of each of the block's tokens, as they are.
template <typename From, typename To>
DEVICE void copy_values(const From* from, int64 from_stride, To* to, int64 to_stride, int width, int tokens)
{
    const int count = Pack<To>::Count;
    for (int at = threadIdx.x; at < tokens * (width / count); at += blockDim.x)
    {
        const int token = at / (width / count);
        const int column = at % (width / count) * count;
        float v[count];
        load_elements(from + token * from_stride + column, v);
        store_elements(to + token * to_stride + column, v);
    }
}

template <bool Norm, bool Whole, typename T>
DEVICE void forward(const T* qkv, const int32* first_key, const T* q_norm, const T* k_norm, T* q, T* kv, const Rotary& rotary, float eps,
    const Shape& shape)
{
    DYNAMIC_SHARED(shared);
    const float* angles = fill_angles(shared, first_key, rotary, shape);
    const Share share = share_heads(shape, Pack<T>::Count);
    const int q_width = shape.heads * shape.head_dim;
    const int kv_width = shape.kv_heads * shape.head_dim;
    const int64 stride = q_width + 2 * kv_width;
    const int64 row = (int64)blockIdx.x * Tokens;
    qkv += row * stride;
    if (q != nullptr)
    {
        turn_heads<Norm, Whole>(qkv, stride, q + row * q_width, q_width, shape.heads, q_norm, eps, angles, share);
    }

    if (kv != nullptr)
    {
        kv += row * (2 * kv_width);
        turn_heads<Norm, Whole>(qkv + q_width, stride, kv, 2 * kv_width, shape.kv_heads, k_norm, eps, angles, share);
        copy_values(qkv + q_width + kv_width, stride, kv + kv_width, 2 * kv_width, kv_width, share.tokens);
    }
}

template <bool Norm, bool Whole, typename T>
DEVICE void backward(const T* dq, const float* dkv, const int32* first_key, const T* qkv, const T* q_norm, const T* k_norm, T* dqkv,
    float* q_partials, float* k_partials, const Rotary& rotary, float eps, const Shape& shape)
{
    DYNAMIC_SHARED(shared);
    const float* angles = fill_angles(shared, first_key, rotary, shape);
    const Share share = share_heads(shape, Pack<T>::Count);
    const int q_width = shape.heads * shape.head_dim;
    const int kv_width = shape.kv_heads * shape.head_dim;
    const int64 stride = q_width + 2 * kv_width;
    const int64 row = (int64)blockIdx.x * Tokens;
    dq += row * q_width;
    dkv += row * 2 * kv_width;
    qkv += Norm ? row * stride : 0;
    dqkv += row * stride;
    float* scratch = reinterpret_cast<float*>(shared) + (2 + 2 * Tokens) * share.half;

    auto sums = turn_heads_back<Norm, Whole>(dq, q_width, qkv, dqkv, stride, shape.heads, q_norm, eps, angles, share);
    if constexpr (Norm)
    {
        add_groups<Whole>(sums, scratch, q_partials + (int64)blockIdx.x * shape.head_dim, share);
        qkv += q_width;
    }

    sums = turn_heads_back<Norm, Whole>(dkv, 2 * kv_width, qkv, dqkv + q_width, stride, shape.kv_heads, k_norm, eps, angles, share);
    if constexpr (Norm)
    {
        add_groups<Whole>(sums, scratch, k_partials + (int64)blockIdx.x * shape.head_dim, share);
    }

    copy_values(dkv + kv_width, 2 * kv_width, dqkv + q_width + kv_width, stride, kv_width, share.tokens);
}

#define SHAPE_PARAMETERS int32 rows, int32 row_offset, int32 heads, int32 kv_heads, int32 head_dim
#define SHAPE (Shape{rows, row_offset, heads, kv_heads, head_dim})

// The four entry points of one type, which differ in name alone from type to type and where half a head is not made of packs. Last the
// launch bounds: a least number of blocks frees the compiler to spend registers, which it would else save and spill.
#define ENTRY_POINTS(type, suffix, whole, ...)                                                                                          \
    extern "C" __global__ void __launch_bounds__(__VA_ARGS__)                                                                           \
    qk_norm_rope_forward_##suffix(const type* qkv, const int32* first_key, const type* q_norm, const type* k_norm, type* q, type* kv,   \
        const __grid_constant__ Rotary rotary, float eps, SHAPE_PARAMETERS)                                                             \
    {                                                                                                                                   \
        forward<true, whole, type>(qkv, first_key, q_norm, k_norm, q, kv, rotary, eps, SHAPE);                                          \
    }                                                                                                                                   \
    EXPORT_KERNEL(qk_norm_rope_forward_##suffix)                                                                                        \
    extern "C" __global__ void __launch_bounds__(__VA_ARGS__)                                                                           \
    qk_norm_rope_backward_##suffix(const type* dq, const float* dkv, const int32* first_key, const type* qkv, const type* q_norm,       \
        const type* k_norm, type* dqkv, float* q_partials, float* k_partials, const __grid_constant__ Rotary rotary, float eps,         \
        SHAPE_PARAMETERS)                                                                                                               \
    {                                                                                                                                   \
        backward<true, whole, type>(dq, dkv, first_key, qkv, q_norm, k_norm, dqkv, q_partials, k_partials, rotary, eps, SHAPE);         \
    }                                                                                                                                   \
    EXPORT_KERNEL(qk_norm_rope_backward_##suffix)                                                                                       \
    extern "C" __global__ void __launch_bounds__(__VA_ARGS__)                                                                           \
    rope_forward_##suffix(const type* qkv, const int32* first_key, type* q, type* kv, const __grid_constant__ Rotary rotary,            \
        SHAPE_PARAMETERS)                                                                                                               \
    {                                                                                                                                   \
        forward<false, whole, type>(qkv, first_key, nullptr, nullptr, q, kv, rotary, 0, SHAPE);                                         \
    }                                                                                                                                   \
    EXPORT_KERNEL(rope_forward_##suffix)                                                                                                \
    extern "C" __global__ void __launch_bounds__(__VA_ARGS__)                                                                           \
    rope_backward_##suffix(const type* dq, const float* dkv, const int32* first_key, type* dqkv, const __grid_constant__ Rotary rotary, \
        SHAPE_PARAMETERS)                                                                                                               \
    {                                                                                                                                   \
        backward<false, whole, type>(dq, dkv, first_key, nullptr, nullptr, nullptr, dqkv, nullptr, nullptr, rotary, 0, SHAPE);          \
    }                                                                                                                                   \
    EXPORT_KERNEL(rope_backward_##suffix)

ENTRY_POINTS(float, f32, true, 256)
ENTRY_POINTS(bf16, bf16, true, 256)
ENTRY_POINTS(float, f32_unaligned, false, 256, 1)
ENTRY_POINTS(bf16, bf16_unaligned, false, 256, 1)
