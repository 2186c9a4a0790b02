// Softmax cross-entropy fused with its gradient.
//
// cross_entropy_<f32|bf16>: logits [rows, stride] fp32, of which the first vocab of each row count; targets [rows] int32, -1 where not
//   counted, else below vocab. With lse = logsumexp(logits[r, :vocab]):
//   gradient [rows, stride] = loss_scale (exp(logits - lse) - onehot), zero in rows not counted and beyond vocab: overwritten, rounded
//   once; it may be the logits themselves where the types agree, or null where only the loss is wanted.
//   row_loss [rows] fp64 = lse - logits[target], 0 in rows not counted: overwritten, not scaled.
//   Exponentials and each thread's sums are fp32; sums over threads, the logarithm and the target's gradient are fp64.
//   grid rows; block clamp(ceil(vocab / 16) rounded up to 32, 64, 512); row_loss is a workspace of 8 bytes a row.
//   Where stride is a multiple of 4 (bf16: of 8) all accesses are of 16 bytes, else of one element.
//
// cross_entropy_loss: loss[0] (+)= sum of row_loss [rows], in fp64, rounded once. grid 1; block 256.
//
// The same where no more than a block of the vocabulary exists at a time, logits [rows, columns] fp32 of the ids from first_id on:
//
// cross_entropy_statistics: statistics: three fp32 arrays, each [rows] and `stride` elements after the one before: the largest logit, the
//   sum of exp(logit - largest), the target's logit, NaN before its block was there. Overwritten, or where fold is not 0 updated: then the
//   block joins those before it. Zeros in rows not counted. fp32 and fp64 as above, the sum rounded once a block.
//   grid rows; block clamp(ceil(columns / 16) rounded up to 32, 64, 512).
//
// cross_entropy_statistics_loss: loss[0] = sum over counted rows of largest + log(sum) - target's logit, from statistics over the whole
//   vocabulary, in fp64, rounded once: overwritten. grid 1; block 1024.
//
// cross_entropy_gradient_<f32|bf16>: gradient [rows, columns] as above, from statistics over the whole vocabulary; it may be the logits
//   themselves where the types agree. Launched as cross_entropy_statistics.
//
// No dynamic shared memory.
#include "device.cuh"

const float Lowest = -3.402823466e38f;

DEVICE float minus_infinity() { return bits_to_float(0xff800000u); }

// Running maximum and the sum of exponentials relative to it.
struct Online
{
    float most;
    float sum;
};

template <int N> DEVICE void include(Online& state, const float (&v)[N])
{
    float most = state.most;
#pragma unroll
    for (int i = 0; i < N; i++)
    {
        most = fmaxf(most, v[i]);
    }

    float sum = state.sum * expf(state.most - most);
#pragma unroll
    for (int i = 0; i < N; i++)
    {
        sum += expf(v[i] - most);
    }

    state = Online{most, sum};
}

// The first pass of a row. Width elements an access, Batch accesses under way at once.
template <int Width, int Batch> DEVICE Online row_sum(const float* row, int32 vocab)
{
    Online state = {Lowest, 0};
    const int whole = vocab / Width;
    for (int base = threadIdx.x; base < whole; base += Batch * blockDim.x)
    {
        float v[Batch * Width];
#pragma unroll
        for (int b = 0; b < Batch; b++)
        {
            const int unit = base + b * blockDim.x;
            float part[Width];
#pragma unroll
            for (int c = 0; c < Width; c++)
            {
                part[c] = minus_infinity();
            }

            if (unit < whole)
            {
                load_elements(row + (int64)unit * Width, part);
            }

#pragma unroll
            for (int c = 0; c < Width; c++)
            {
                v[b * Width + c] = part[c];
            }
        }

        include(state, v);
    }

    if ((int)threadIdx.x < vocab - whole * Width)
    {
        const float last[1] = {row[whole * Width + threadIdx.x]};
        include(state, last);
    }

    return state;
}

// What the second pass multiplies and places; target is -1 where it is not among the row's columns.
struct Slope
{
    float most;
    float factor;
    float at_target;
    int32 target;
};

// The second pass of a row, from its end: what the first pass read last may still be in the cache.
template <int Width, int Batch, typename T>
DEVICE void row_gradient(const float* row, T* gradient, const Slope& slope, int32 vocab, int64 stride)
{
    const int units = (int)(stride / Width);
    const int whole = vocab / Width;
    const int step = Batch * blockDim.x;
    for (int base = (units - 1) / step * step + (int)threadIdx.x; base >= 0; base -= step)
    {
        float v[Batch][Width];
#pragma unroll
        for (int b = 0; b < Batch; b++)
        {
            const int unit = base + b * blockDim.x;
            if (unit < whole)
            {
                load_elements(row + (int64)unit * Width, v[b]);
            }
            else
            {
#pragma unroll
                for (int c = 0; c < Width; c++)
                {
                    v[b][c] = unit * Width + c < vocab ? row[unit * Width + c] : minus_infinity();
                }
            }
        }

#pragma unroll
        for (int b = 0; b < Batch; b++)
        {
            const int unit = base + b * blockDim.x;
            const int first = unit * Width;
#pragma unroll
            for (int c = 0; c < Width; c++)
            {
                v[b][c] = expf(v[b][c] - slope.most) * slope.factor;
            }

            if (slope.target >= first && slope.target < first + Width)
            {
#pragma unroll
                for (int c = 0; c < Width; c++)
                {
                    v[b][c] = first + c == slope.target ? slope.at_target : v[b][c];
                }
            }

            if (unit < units)
            {
                store_elements(gradient + (int64)unit * Width, v[b]);
            }
        }
    }
}

template <typename T> DEVICE void row_zero(T* gradient, int64 stride)
{
    const int count = Pack<T>::Count;
    if (stride % count == 0)
    {
        for (int64 at = (int64)threadIdx.x * count; at < stride; at += blockDim.x * count)
        {
            *reinterpret_cast<uint4*>(gradient + at) = make_uint4(0, 0, 0, 0);
        }
    }
    else
    {
        for (int64 at = threadIdx.x; at < stride; at += blockDim.x)
        {
            gradient[at] = from_float<T>(0.0f);
        }
    }
}

// The accesses that a row's length allows.
template <int Width> DEVICE Online row_sum(const float* row, int32 vocab, bool aligned)
{
    return aligned ? row_sum<Width, 16 / Width>(row, vocab) : row_sum<1, 16>(row, vocab);
}

template <typename T> DEVICE void row_gradient(const float* row, T* gradient, const Slope& slope, int32 vocab, int64 stride)
{
    const int width = Pack<T>::Count;
    if (stride % width == 0)
    {
        row_gradient<width, 16 / width>(row, gradient, slope, vocab, stride);
    }
    else
    {
        row_gradient<1, 16>(row, gradient, slope, vocab, stride);
    }
}

template <typename T> DEVICE void cross_entropy(
    const float* logits, const int32* targets, const StepBlock* step, T* gradient, double* row_loss, int32 vocab, int64 stride)
{
    const int width = Pack<T>::Count;
    __shared__ float scratch[32];
    __shared__ double sums[32];
    __shared__ float shared_factor;
    __shared__ float shared_target;
    const float* row = logits + blockIdx.x * stride;
    gradient = gradient == nullptr ? nullptr : gradient + blockIdx.x * stride;
    const int32 target = targets[blockIdx.x];
    if (target < 0)
    {
        if (threadIdx.x == 0)
        {
            row_loss[blockIdx.x] = 0;
        }

        if (gradient != nullptr)
        {
            row_zero(gradient, stride);
        }

        return;
    }

    const Online mine = row_sum<width>(row, vocab, stride % width == 0);
    const float most = block_max(mine.most, scratch);
    const double sum = block_sum((double)(mine.sum * expf(mine.most - most)), sums);
    if (threadIdx.x == 0)
    {
        const double scale = step->loss_scale;
        const double logit = row[target];
        row_loss[blockIdx.x] = most + log(sum) - logit;
        shared_factor = (float)(scale / sum);
        shared_target = (float)((exp(logit - most) / sum - 1) * scale);
    }

    // The logits may be overwritten from here on.
    block_barrier();
    if (gradient != nullptr)
    {
        row_gradient(row, gradient, Slope{most, shared_factor, shared_target, target}, vocab, stride);
    }
}

// The column of a target among a block's; -1 where it is not.
DEVICE int32 column_of(int32 target, int32 first_id, int32 columns)
{
    const int32 column = target - first_id;
    return column >= 0 && column < columns ? column : -1;
}

template <typename T> DEVICE void block_gradient(const float* logits, const int32* targets, const StepBlock* step, const float* statistics,
    T* gradient, int32 first_id, int32 columns, int64 stride)
{
    __shared__ float shared_factor;
    __shared__ float shared_target;
    const float* row = logits + (int64)blockIdx.x * columns;
    gradient += (int64)blockIdx.x * columns;
    const int32 target = targets[blockIdx.x];
    if (target < 0)
    {
        row_zero(gradient, columns);
        return;
    }

    const int32 column = column_of(target, first_id, columns);
    const float most = statistics[blockIdx.x];
    if (threadIdx.x == 0)
    {
        const double scale = step->loss_scale;
        const double sum = statistics[blockIdx.x + stride];
        shared_factor = (float)(scale / sum);
        shared_target = column >= 0 ? (float)((exp((double)row[column] - most) / sum - 1) * scale) : 0.0f;
    }

    // The logits may be overwritten from here on.
    block_barrier();
    row_gradient(row, gradient, Slope{most, shared_factor, shared_target, column}, columns, (int64)columns);
}

extern "C" __global__ void __launch_bounds__(512) cross_entropy_f32(
    const float* logits, const int32* targets, const StepBlock* step, float* gradient, double* row_loss, int32 vocab, int64 stride)
{
    cross_entropy(logits, targets, step, gradient, row_loss, vocab, stride);
}
EXPORT_KERNEL(cross_entropy_f32)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_bf16(
    const float* logits, const int32* targets, const StepBlock* step, bf16* gradient, double* row_loss, int32 vocab, int64 stride)
{
    cross_entropy(logits, targets, step, gradient, row_loss, vocab, stride);
}
EXPORT_KERNEL(cross_entropy_bf16)

extern "C" __global__ void __launch_bounds__(256)
cross_entropy_loss(const double* row_loss, float* loss, int32 rows, int32 accumulate)
{
    __shared__ double scratch[32];
    double sum = 0;
    for (int row = threadIdx.x; row < rows; row += 256)
    {
        sum += row_loss[row];
    }

    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0)
    {
        loss[0] = (float)(accumulate != 0 ? sum + loss[0] : sum);
    }
}
EXPORT_KERNEL(cross_entropy_loss)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_statistics(
    const float* logits, const int32* targets, float* statistics, int32 first_id, int32 columns, int64 stride, int32 fold)
{
    __shared__ float scratch[32];
    __shared__ double sums[32];
    const float* row = logits + (int64)blockIdx.x * columns;
    float* largest = statistics + blockIdx.x;
    float* sum = largest + stride;
    float* at_target = sum + stride;
    const int32 target = targets[blockIdx.x];
    if (target < 0)
    {
        if (threadIdx.x == 0)
        {
            *largest = 0;
            *sum = 0;
            *at_target = 0;
        }

        return;
    }

    const Online mine = row_sum<4>(row, columns, columns % 4 == 0);
    const float most = block_max(mine.most, scratch);
    const double here = block_sum((double)(mine.sum * expf(mine.most - most)), sums);
    if (threadIdx.x == 0)
    {
        const int32 column = column_of(target, first_id, columns);
        const float joint = fold != 0 ? fmaxf(most, *largest) : most;
        const double before = fold != 0 ? *sum * exp((double)*largest - joint) : 0;
        *largest = joint;
        *sum = (float)(before + here * exp((double)most - joint));
        if (column >= 0 || fold == 0)
        {
            *at_target = column >= 0 ? row[column] : bits_to_float(0x7fc00000u);
        }
    }
}
EXPORT_KERNEL(cross_entropy_statistics)

extern "C" __global__ void __launch_bounds__(1024)
cross_entropy_statistics_loss(const int32* targets, const float* statistics, float* loss, int32 rows, int64 stride)
{
    __shared__ double scratch[32];
    double total = 0;
    for (int row = threadIdx.x; row < rows; row += 1024)
    {
        const double largest = statistics[row];
        const double at_target = statistics[row + 2 * stride];
        total += targets[row] < 0 ? 0 : largest + log((double)statistics[row + stride]) - at_target;
    }

    total = block_sum(total, scratch);
    if (threadIdx.x == 0)
    {
        loss[0] = (float)total;
    }
}
EXPORT_KERNEL(cross_entropy_statistics_loss)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_gradient_f32(const float* logits, const int32* targets,
    const StepBlock* step, const float* statistics, float* gradient, int32 first_id, int32 columns, int64 stride)
{
    block_gradient(logits, targets, step, statistics, gradient, first_id, columns, stride);
}
EXPORT_KERNEL(cross_entropy_gradient_f32)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_gradient_bf16(const float* logits, const int32* targets,
    const StepBlock* step, const float* statistics, bf16* gradient, int32 first_id, int32 columns, int64 stride)
{
    block_gradient(logits, targets, step, statistics, gradient, first_id, columns, stride);
}
EXPORT_KERNEL(cross_entropy_gradient_bf16)
