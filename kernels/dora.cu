// DoRA: rows of w + scale b a get a length of their own, their magnitude. Rows of a matrix are columns of its product.
//
// dora_scales_<f32|bf16>: w [rows, in], a [rank, in], b [rows, rank], magnitude [rows]; scales [2, rows] fp32: magnitude / ||row||, then
//   1 / ||row||. Sums of b a in fp32, squares in fp64: each thread its columns ascending, then the threads by halves.
//   grid rows; block 256; no dynamic shared memory.
// dora_forward_<f32|bf16>: y = scale (scales[0] x) + bias + addend in fp32, rounded once. Rows of x, y and addend lie so many elements
//   apart as their strides say; scales, bias and addend may be null. grid rows of x, ceil(columns / 256); block 256.
// dora_backward_<f32|bf16>_<f32|bf16>: dx = scales[0] dy, which may be dy itself; dm [columns] (+)= scale scales[1] times the sum of dy x
//   over rows, in fp64: 8 slices of ceil(rows / 8) rows, each ascending, then the slices ascending, then the old contents where accumulate
//   is not 0; rounded to fp32, then to the type of dm. grid ceil(columns / 32); block 256; no dynamic shared memory.
#include "device.cuh"

template <typename T>
DEVICE void dora_scales(
    const T* w, const T* a, const T* b, const T* magnitude, float* scales, int32 rows, int32 columns, int32 rank, float scale)
{
    __shared__ double sums[256];
    const int row = blockIdx.x;
    const int thread = threadIdx.x;
    double sum = 0;
    for (int column = thread; column < columns; column += 256)
    {
        float low = 0;
        for (int k = 0; k < rank; k++)
        {
            low = fmaf(to_float(b[(int64)row * rank + k]), to_float(a[(int64)k * columns + column]), low);
        }

        const double value = fmaf(scale, low, to_float(w[(int64)row * columns + column]));
        sum += value * value;
    }

    sums[thread] = sum;
    block_barrier();
    for (int half = 128; half > 0; half /= 2)
    {
        if (thread < half)
        {
            sums[thread] += sums[thread + half];
        }

        block_barrier();
    }

    if (thread == 0)
    {
        const float length = (float)sqrt(sums[0]);
        scales[row] = to_float(magnitude[row]) / length;
        scales[rows + row] = 1.0f / length;
    }
}

template <typename T>
DEVICE void dora_forward(
    const T* x, const float* scales, const T* bias, const T* addend, T* y, int32 columns, int32 x_stride, int32 addend_stride,
    int32 y_stride, float scale)
{
    const int column = blockIdx.y * 256 + threadIdx.x;
    const int64 row = blockIdx.x;
    if (column >= columns)
    {
        return;
    }

    float value = to_float(x[row * x_stride + column]);
    value = scales == nullptr ? value : value * scales[column];
    value *= scale;
    value = bias == nullptr ? value : value + to_float(bias[column]);
    value = addend == nullptr ? value : value + to_float(addend[row * addend_stride + column]);
    y[row * y_stride + column] = from_float<T>(value);
}

template <typename T, typename G>
DEVICE void dora_backward(
    const T* dy, const T* x, const float* scales, T* dx, G* dm, int32 rows, int32 columns, int32 dy_stride, int32 x_stride, int32 dx_stride,
    float scale, int32 accumulate)
{
    const int width = 32;
    const int slices = 256 / width;
    __shared__ double sums[slices][width];
    const int thread = threadIdx.x;
    const int slice = thread / width;
    const int column = blockIdx.x * width + thread % width;
    const int slice_rows = (rows + slices - 1) / slices;
    const int end = slice_rows * (slice + 1) < rows ? slice_rows * (slice + 1) : rows;
    double sum = 0;
    if (column < columns)
    {
        const float factor = scales[column];
        for (int64 row = slice * slice_rows; row < end; row++)
        {
            const float gradient = to_float(dy[row * dy_stride + column]);
            sum += (double)gradient * to_float(x[row * x_stride + column]);
            dx[row * dx_stride + column] = from_float<T>(gradient * factor);
        }
    }

    sums[slice][thread % width] = sum;
    block_barrier();
    if (thread < width && column < columns)
    {
        double total = 0;
        for (int s = 0; s < slices; s++)
        {
            total += sums[s][thread];
        }

        total *= scale * scales[columns + column];
        total += accumulate != 0 ? to_float(dm[column]) : 0.0f;
        dm[column] = from_float<G>((float)total);
    }
}

#define DORA(suffix, T)                                                                                                                \
    extern "C" __global__ void __launch_bounds__(256) dora_scales_##suffix(                                                            \
        const T* w, const T* a, const T* b, const T* magnitude, float* scales, int32 rows, int32 columns, int32 rank, float scale)     \
    {                                                                                                                                  \
        dora_scales(w, a, b, magnitude, scales, rows, columns, rank, scale);                                                           \
    }                                                                                                                                  \
    EXPORT_KERNEL(dora_scales_##suffix)                                                                                                \
    extern "C" __global__ void __launch_bounds__(256) dora_forward_##suffix(                                                           \
        const T* x, const float* scales, const T* bias, const T* addend, T* y, int32 columns, int32 x_stride, int32 addend_stride,     \
        int32 y_stride, float scale)                                                                                                   \
    {                                                                                                                                  \
        dora_forward(x, scales, bias, addend, y, columns, x_stride, addend_stride, y_stride, scale);                                   \
    }                                                                                                                                  \
    EXPORT_KERNEL(dora_forward_##suffix)

#define DORA_BACKWARD(name, T, G)                                                                                                      \
    extern "C" __global__ void __launch_bounds__(256) name(                                                                            \
        const T* dy, const T* x, const float* scales, T* dx, G* dm, int32 rows, int32 columns, int32 dy_stride, int32 x_stride,        \
        int32 dx_stride, float scale, int32 accumulate)                                                                                \
    {                                                                                                                                  \
        dora_backward(dy, x, scales, dx, dm, rows, columns, dy_stride, x_stride, dx_stride, scale, accumulate);                        \
    }                                                                                                                                  \
    EXPORT_KERNEL(name)

DORA(f32, float)
DORA(bf16, bf16)
DORA_BACKWARD(dora_backward_f32_f32, float, float)
DORA_BACKWARD(dora_backward_bf16_f32, bf16, float)
DORA_BACKWARD(dora_backward_bf16_bf16, bf16, bf16)
