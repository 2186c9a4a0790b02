// y = w n silu(z), n = x rstd with rstd = 1 / sqrt(mean(x^2) + epsilon) of each head's part of a row alone; all heads have the same w.
//
// x [rows, heads * width] fp32; z and grad_z of that shape, rows z_stride and grad_z_stride elements apart; w [width]; width at most 256.
// gated_norm_forward_<f32|bf16>: y [rows, heads * width], overwritten.
// gated_norm_backward_<f32|bf16>: gradient [rows, heads * width] of y becomes that of x: with dn = gradient w silu(z),
//   rstd (dn - n mean(dn n)); grad_z, overwritten: gradient w n silu'(z); partials [groups, width] fp32, overwritten: the sums over the
//   rows and heads of a group of gradient n silu(z); null where nobody wants them. w's gradient is column_sum.cu over them.
// gated_group_norm_forward_<f32|bf16>, gated_group_norm_backward_<f32|bf16>: gated first, y = w u rstd, u = x silu(z), rstd of each of
//   `heads` groups of columns, of any width; w and partials of all columns.
// fp32 arithmetic, each output rounded once. A warp has one head of one row at a time, and every fourth of its group, so that each sum has
// one order.
//   grid groups = ceil(rows / group_rows); block 128; no dynamic shared memory.
#include "activations.cuh"

const int Warps = 4;
const int MostColumns = 8; // of a lane

struct Place
{
    int64 dense; // of the head's first element
    int64 row;
    int32 column;
};

DEVICE Place place_of(int64 row, int32 head, int32 heads, int32 width)
{
    return Place{(row * heads + head) * width, row, head * width};
}

DEVICE float root_of(const float* x, int32 width, float epsilon)
{
    float squares = 0;
    for (int32 j = threadIdx.x % 32; j < width; j += 32)
    {
        squares = fmaf(x[j], x[j], squares);
    }

    return (float)(1.0 / sqrt((double)warp_sum(squares) / width + epsilon));
}

#define FORWARD(name, T)                                                                                                        \
    extern "C" __global__ void __launch_bounds__(128) name(const float* x, const T* z, const T* weight, T* y, float epsilon,   \
        int32 rows, int32 heads, int32 width, int32 z_stride, int32 group_rows)                                                 \
    {                                                                                                                           \
        const int64 first = (int64)blockIdx.x * group_rows;                                                                     \
        const int32 here = rows - first < group_rows ? (int32)(rows - first) : group_rows;                                      \
        for (int32 i = threadIdx.x / 32; i < here * heads; i += Warps)                                                          \
        {                                                                                                                       \
            const Place at = place_of(first + i / heads, i % heads, heads, width);                                              \
            const float root = root_of(x + at.dense, width, epsilon);                                                           \
            for (int32 j = threadIdx.x % 32; j < width; j += 32)                                                                \
            {                                                                                                                   \
                const float gate = Silu().at(to_float(z[at.row * z_stride + at.column + j])).value;                             \
                y[at.dense + j] = from_float<T>(x[at.dense + j] * root * to_float(weight[j]) * gate);                           \
            }                                                                                                                   \
        }                                                                                                                       \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

FORWARD(gated_norm_forward_f32, float)
FORWARD(gated_norm_forward_bf16, bf16)

template <typename T> struct Backward
{
    T* gradient;
    const float* x;
    const T* z;
    const T* weight;
    T* grad_z;
    float* partials;
    float epsilon;
    int32 rows;
    int32 heads;
    int32 width;
    int32 z_stride;
    int32 grad_z_stride;
    int32 group_rows;
};

template <typename T> DEVICE void backward(const Backward<T>& of)
{
    __shared__ float shared[Warps][32 * MostColumns];
    float sums[MostColumns] = {};
    const int32 lane = threadIdx.x % 32;
    const int64 first = (int64)blockIdx.x * of.group_rows;
    const int32 here = of.rows - first < of.group_rows ? (int32)(of.rows - first) : of.group_rows;
    for (int32 i = threadIdx.x / 32; i < here * of.heads; i += Warps)
    {
        const Place at = place_of(first + i / of.heads, i % of.heads, of.heads, of.width);
        const T* z = of.z + at.row * of.z_stride + at.column;
        T* grad_z = of.grad_z + at.row * of.grad_z_stride + at.column;
        const float root = root_of(of.x + at.dense, of.width, of.epsilon);
        float dot = 0;
        for (int32 j = lane; j < of.width; j += 32)
        {
            const float dn = to_float(of.gradient[at.dense + j]) * to_float(of.weight[j]) * Silu().at(to_float(z[j])).value;
            dot = fmaf(dn, of.x[at.dense + j], dot);
        }

        const float pull = -(warp_sum(dot) * root * root * root / (float)of.width);
#pragma unroll
        for (int32 c = 0; c < MostColumns; c++)
        {
            const int32 j = lane + 32 * c;
            if (j < of.width)
            {
                const Point gate = Silu().at(to_float(z[j]));
                const float from = of.x[at.dense + j], dy = to_float(of.gradient[at.dense + j]), weighted = dy * to_float(of.weight[j]);
                sums[c] = fmaf(dy * gate.value, from * root, sums[c]);
                grad_z[j] = from_float<T>(weighted * from * root * gate.slope);
                of.gradient[at.dense + j] = from_float<T>(fmaf(from, pull, weighted * gate.value * root));
            }
        }
    }

    if (of.partials == nullptr)
    {
        return;
    }

#pragma unroll
    for (int32 c = 0; c < MostColumns; c++)
    {
        shared[threadIdx.x / 32][lane + 32 * c] = sums[c];
    }

    block_barrier();
    for (int32 j = threadIdx.x; j < of.width; j += 32 * Warps)
    {
        of.partials[(int64)blockIdx.x * of.width + j] = shared[0][j] + shared[1][j] + shared[2][j] + shared[3][j];
    }
}

#define BACKWARD(name, T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(128) name(T* gradient, const float* x, const T* z, const T* weight, T* grad_z, \
        float* partials, float epsilon, int32 rows, int32 heads, int32 width, int32 z_stride, int32 grad_z_stride,              \
        int32 group_rows)                                                                                                       \
    {                                                                                                                           \
        backward(Backward<T>{gradient, x, z, weight, grad_z, partials, epsilon, rows, heads, width, z_stride, grad_z_stride,    \
            group_rows});                                                                                                       \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

BACKWARD(gated_norm_backward_f32, float)
BACKWARD(gated_norm_backward_bf16, bf16)

// A number of a group, before its norm.
template <typename T> DEVICE float gated(const float* x, const T* z, int32 j) { return x[j] * Silu().at(to_float(z[j])).value; }

template <typename T> DEVICE float gated_root(const float* x, const T* z, int32 width, float epsilon)
{
    float squares = 0;
    for (int32 j = threadIdx.x % 32; j < width; j += 32)
    {
        const float u = gated(x, z, j);
        squares = fmaf(u, u, squares);
    }

    return (float)(1.0 / sqrt((double)warp_sum(squares) / width + epsilon));
}

#define GROUP_FORWARD(name, T)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(128) name(const float* x, const T* z, const T* weight, T* y, float epsilon,   \
        int32 rows, int32 heads, int32 width, int32 z_stride, int32 group_rows)                                                 \
    {                                                                                                                           \
        const int64 first = (int64)blockIdx.x * group_rows;                                                                     \
        const int32 here = rows - first < group_rows ? (int32)(rows - first) : group_rows;                                      \
        for (int32 i = threadIdx.x / 32; i < here * heads; i += Warps)                                                          \
        {                                                                                                                       \
            const Place at = place_of(first + i / heads, i % heads, heads, width);                                              \
            const T* own = z + at.row * z_stride + at.column;                                                                   \
            const float root = gated_root(x + at.dense, own, width, epsilon);                                                   \
            for (int32 j = threadIdx.x % 32; j < width; j += 32)                                                                \
            {                                                                                                                   \
                y[at.dense + j] = from_float<T>(gated(x + at.dense, own, j) * root * to_float(weight[at.column + j]));          \
            }                                                                                                                   \
        }                                                                                                                       \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

GROUP_FORWARD(gated_group_norm_forward_f32, float)
GROUP_FORWARD(gated_group_norm_forward_bf16, bf16)

// A group of columns is always the same warp's, so that a thread adds to sums of its own.
template <typename T> DEVICE void group_backward(const Backward<T>& of)
{
    const int32 lane = threadIdx.x % 32;
    const int64 first = (int64)blockIdx.x * of.group_rows;
    const int32 here = of.rows - first < of.group_rows ? (int32)(of.rows - first) : of.group_rows;
    for (int32 head = threadIdx.x / 32; head < of.heads; head += Warps)
    {
        for (int32 i = 0; i < here; i++)
        {
            const Place at = place_of(first + i, head, of.heads, of.width);
            const float* x = of.x + at.dense;
            const T* z = of.z + at.row * of.z_stride + at.column;
            const T* weight = of.weight + at.column;
            T* gradient = of.gradient + at.dense;
            T* grad_z = of.grad_z + at.row * of.grad_z_stride + at.column;
            const float root = gated_root(x, z, of.width, of.epsilon);
            float dot = 0;
            for (int32 j = lane; j < of.width; j += 32)
            {
                dot = fmaf(to_float(gradient[j]) * to_float(weight[j]), gated(x, z, j), dot);
            }

            const float pull = -(warp_sum(dot) * root * root * root / (float)of.width);
            for (int32 j = lane; j < of.width; j += 32)
            {
                const Point gate = Silu().at(to_float(z[j]));
                const float dy = to_float(gradient[j]), u = x[j] * gate.value;
                const float du = fmaf(u, pull, dy * to_float(weight[j]) * root);
                grad_z[j] = from_float<T>(du * x[j] * gate.slope);
                gradient[j] = from_float<T>(du * gate.value);
                if (of.partials != nullptr)
                {
                    float* sum = of.partials + ((int64)blockIdx.x * of.heads * of.width) + at.column + j;
                    *sum = i == 0 ? dy * u * root : fmaf(dy * u, root, *sum);
                }
            }
        }
    }
}

#define GROUP_BACKWARD(name, T)                                                                                                 \
    extern "C" __global__ void __launch_bounds__(128) name(T* gradient, const float* x, const T* z, const T* weight, T* grad_z, \
        float* partials, float epsilon, int32 rows, int32 heads, int32 width, int32 z_stride, int32 grad_z_stride,              \
        int32 group_rows)                                                                                                       \
    {                                                                                                                           \
        group_backward(Backward<T>{gradient, x, z, weight, grad_z, partials, epsilon, rows, heads, width, z_stride,             \
            grad_z_stride, group_rows});                                                                                        \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

GROUP_BACKWARD(gated_group_norm_backward_f32, float)
GROUP_BACKWARD(gated_group_norm_backward_bf16, bf16)
