// The moving average of weights, in fp32: e = w after step 1, then e = w + decay (e - w).
//
// average_f32, average_bf16: w [count] of that type; e [count] fp32, read (but not used in step 1) and overwritten. Any count. Where the
// norm of all gradients is not finite (element_update.cuh), e stays as it is.
//   grid ceil(count / 2,048) (f32: ceil(count / 1,024)); block 256; no dynamic shared memory.
#include "element_update.cuh"

template <typename T> DEVICE void average(const T* w, float* e, const double* norms, const StepBlock* step, int64 count, int32 norm_count)
{
    const int width = Pack<T>::Count;
    const int64 first = ((int64)blockIdx.x * 256 + threadIdx.x) * width;
    const float clip = norms != nullptr ? clip_scale(step, norms, norm_count) : 1.0f;
    if (first >= count || clip != clip)
    {
        return;
    }

    float value[width];
    float kept[width] = {};
    load_first(w + first, value, count - first);
    load_first(e + first, kept, count - first);
    const bool begins = step->step == 1;
#pragma unroll
    for (int i = 0; i < width; i++)
    {
        kept[i] = begins ? value[i] : fmaf(step->average_decay, kept[i] - value[i], value[i]);
    }

    store_first(e + first, kept, count - first);
}

extern "C" __global__ void __launch_bounds__(256) average_f32(
    const float* w, float* e, const double* norms, const StepBlock* step, int64 count, int32 norm_count)
{
    average(w, e, norms, step, count, norm_count);
}
EXPORT_KERNEL(average_f32)

extern "C" __global__ void __launch_bounds__(256) average_bf16(
    const bf16* w, float* e, const double* norms, const StepBlock* step, int64 count, int32 norm_count)
{
    average(w, e, norms, step, count, norm_count);
}
EXPORT_KERNEL(average_bf16)
