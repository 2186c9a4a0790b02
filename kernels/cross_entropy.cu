// Softmax cross-entropy fused with its gradient.
//
// cross_entropy_<f32|bf16>: logits [rows, stride] fp32, of which the first vocab of each row count; targets [rows] int32, -1 where not
//   counted, else below vocab; weights w [rows] fp32, or null where all are 1. The softmax sees l = logit_scale logits, and with
//   lse = logsumexp(l[r, :vocab]):
//   gradient [rows, stride] = logit_scale w loss_scale (exp(l - lse) - onehot), zero in rows not counted and beyond vocab: overwritten,
//   rounded once; it may be the logits themselves where the types agree, or null where only the loss is wanted.
//   row_loss [rows] fp64 = w (lse - l[target]), 0 in rows not counted: overwritten, not scaled.
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
// cross_entropy_statistics_loss: loss[0] = sum over counted rows of w (largest + log(sum) - target's logit), from statistics over the
//   whole vocabulary, in fp64, rounded once: overwritten. grid 1; block 1024.
//
// cross_entropy_gradient_<f32|bf16>: gradient [rows, columns] as above, from statistics over the whole vocabulary; it may be the logits
//   themselves where the types agree. Launched as cross_entropy_statistics.
//
// cross_entropy_capped_*, cross_entropy_statistics_capped, cross_entropy_gradient_capped_*: the softmax sees
//   l = cap tanh(logit_scale logits / cap), and gradients have the factor 1 - (l / cap)^2. The others ignore their cap.
//
// No dynamic shared memory.
#include "cross_entropy_rows.cuh"

// A row's weight.
DEVICE double weight_of(const float* weights, int32 row) { return weights == nullptr ? 1.0 : (double)weights[row]; }

template <typename T, typename Logits> DEVICE void cross_entropy(const float* logits, const int32* targets, const float* weights,
    const StepBlock* step, T* gradient, double* row_loss, const Logits& map, int32 vocab, int64 stride)
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

    const Online mine = row_sum<width>(row, vocab, stride % width == 0, map);
    const float most = block_max(mine.most, scratch);
    const double sum = block_sum((double)(mine.sum * expf(mine.most - most)), sums);
    if (threadIdx.x == 0)
    {
        const double weight = weight_of(weights, blockIdx.x);
        const double scale = step->loss_scale * weight;
        const float mapped = map(row[target]);
        const double logit = mapped;
        row_loss[blockIdx.x] = weight * (most + log(sum) - logit);
        shared_factor = (float)(scale / sum);
        shared_target = map.back((float)((exp(logit - most) / sum - 1) * scale), mapped);
    }

    // The logits may be overwritten from here on.
    block_barrier();
    if (gradient != nullptr)
    {
        row_gradient(row, gradient, Slope{most, shared_factor, shared_target, target}, map, vocab, stride);
    }
}

// The column of a target among a block's; -1 where it is not.
DEVICE int32 column_of(int32 target, int32 first_id, int32 columns)
{
    const int32 column = target - first_id;
    return column >= 0 && column < columns ? column : -1;
}

template <typename T, typename Logits> DEVICE void block_gradient(const float* logits, const int32* targets, const float* weights,
    const StepBlock* step, const float* statistics, T* gradient, const Logits& map, int32 first_id, int32 columns, int64 stride)
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
        const double scale = step->loss_scale * weight_of(weights, blockIdx.x);
        const double sum = statistics[blockIdx.x + stride];
        shared_factor = (float)(scale / sum);
        const float mapped = column >= 0 ? map(row[column]) : 0.0f;
        shared_target = column >= 0 ? map.back((float)((exp((double)mapped - most) / sum - 1) * scale), mapped) : 0.0f;
    }

    // The logits may be overwritten from here on.
    block_barrier();
    row_gradient(row, gradient, Slope{most, shared_factor, shared_target, column}, map, columns, (int64)columns);
}

extern "C" __global__ void __launch_bounds__(512) cross_entropy_f32(const float* logits, const int32* targets,
    const float* weights, const StepBlock* step, float* gradient, double* row_loss, float logit_scale, float cap, int32 vocab, int64 stride)
{
    cross_entropy(logits, targets, weights, step, gradient, row_loss, Scaled::of(logit_scale, cap), vocab, stride);
}
EXPORT_KERNEL(cross_entropy_f32)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_bf16(const float* logits, const int32* targets,
    const float* weights, const StepBlock* step, bf16* gradient, double* row_loss, float logit_scale, float cap, int32 vocab, int64 stride)
{
    cross_entropy(logits, targets, weights, step, gradient, row_loss, Scaled::of(logit_scale, cap), vocab, stride);
}
EXPORT_KERNEL(cross_entropy_bf16)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_capped_f32(const float* logits, const int32* targets,
    const float* weights, const StepBlock* step, float* gradient, double* row_loss, float logit_scale, float cap, int32 vocab, int64 stride)
{
    cross_entropy(logits, targets, weights, step, gradient, row_loss, Capped::of(logit_scale, cap), vocab, stride);
}
EXPORT_KERNEL(cross_entropy_capped_f32)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_capped_bf16(const float* logits, const int32* targets,
    const float* weights, const StepBlock* step, bf16* gradient, double* row_loss, float logit_scale, float cap, int32 vocab, int64 stride)
{
    cross_entropy(logits, targets, weights, step, gradient, row_loss, Capped::of(logit_scale, cap), vocab, stride);
}
EXPORT_KERNEL(cross_entropy_capped_bf16)

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

template <typename Logits> DEVICE void block_statistics(const float* logits, const int32* targets, float* statistics, const Logits& map,
    int32 first_id, int32 columns, int64 stride, int32 fold)
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

    const Online mine = row_sum<4>(row, columns, columns % 4 == 0, map);
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
            *at_target = column >= 0 ? map(row[column]) : bits_to_float(0x7fc00000u);
        }
    }
}

extern "C" __global__ void __launch_bounds__(512, 2) cross_entropy_statistics(const float* logits, const int32* targets,
    float* statistics, float logit_scale, float cap, int32 first_id, int32 columns, int64 stride, int32 fold)
{
    block_statistics(logits, targets, statistics, Scaled::of(logit_scale, cap), first_id, columns, stride, fold);
}
EXPORT_KERNEL(cross_entropy_statistics)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_statistics_capped(const float* logits, const int32* targets,
    float* statistics, float logit_scale, float cap, int32 first_id, int32 columns, int64 stride, int32 fold)
{
    block_statistics(logits, targets, statistics, Capped::of(logit_scale, cap), first_id, columns, stride, fold);
}
EXPORT_KERNEL(cross_entropy_statistics_capped)

extern "C" __global__ void __launch_bounds__(1024)
cross_entropy_statistics_loss(const int32* targets, const float* weights, const float* statistics, float* loss, int32 rows,
    int64 stride)
{
    __shared__ double scratch[32];
    double total = 0;
    for (int row = threadIdx.x; row < rows; row += 1024)
    {
        const double largest = statistics[row];
        const double at_target = statistics[row + 2 * stride];
        const double mine = largest + log((double)statistics[row + stride]) - at_target;
        total += targets[row] < 0 ? 0 : weight_of(weights, row) * mine;
    }

    total = block_sum(total, scratch);
    if (threadIdx.x == 0)
    {
        loss[0] = (float)total;
    }
}
EXPORT_KERNEL(cross_entropy_statistics_loss)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_gradient_f32(const float* logits, const int32* targets,
    const float* weights, const StepBlock* step, const float* statistics, float* gradient, float logit_scale, float cap,
    int32 first_id, int32 columns, int64 stride)
{
    block_gradient(logits, targets, weights, step, statistics, gradient, Scaled::of(logit_scale, cap), first_id, columns, stride);
}
EXPORT_KERNEL(cross_entropy_gradient_f32)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_gradient_bf16(const float* logits, const int32* targets,
    const float* weights, const StepBlock* step, const float* statistics, bf16* gradient, float logit_scale, float cap,
    int32 first_id, int32 columns, int64 stride)
{
    block_gradient(logits, targets, weights, step, statistics, gradient, Scaled::of(logit_scale, cap), first_id, columns, stride);
}
EXPORT_KERNEL(cross_entropy_gradient_bf16)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_gradient_capped_f32(const float* logits, const int32* targets,
    const float* weights, const StepBlock* step, const float* statistics, float* gradient, float logit_scale, float cap,
    int32 first_id, int32 columns, int64 stride)
{
    block_gradient(logits, targets, weights, step, statistics, gradient, Capped::of(logit_scale, cap), first_id, columns, stride);
}
EXPORT_KERNEL(cross_entropy_gradient_capped_f32)

extern "C" __global__ void __launch_bounds__(512) cross_entropy_gradient_capped_bf16(const float* logits, const int32* targets,
    const float* weights, const StepBlock* step, const float* statistics, bf16* gradient, float logit_scale, float cap,
    int32 first_id, int32 columns, int64 stride)
{
    block_gradient(logits, targets, weights, step, statistics, gradient, Capped::of(logit_scale, cap), first_id, columns, stride);
}
EXPORT_KERNEL(cross_entropy_gradient_capped_bf16)
