// The weights of routed rows times a number of their expert's.
//
// expert_scale_forward_<f32|bf16>: weights [rows] fp32; expert_rows [E + 1], the first row of each expert and the number of all;
//   factors [E] of the type. Overwrites scaled [rows] fp32 = weight factor.
// expert_scale_backward_<f32|bf16>: gradient [rows] fp32 of what is scaled becomes that of the weights, gradient factor; sums [E] fp32 is
//   overwritten by the gradients of the factors, the sums of gradient weight over an expert's rows: a thread adds every 256th, ascending,
//   then the threads' sums are added in their order.
//   grid E; block 256; no dynamic shared memory.
#include "device.cuh"

const int Block = 256;

#define FORWARD(name, T)                                                                                        \
    extern "C" __global__ void __launch_bounds__(256) name(                                                     \
        const float* weights, const int32* expert_rows, const T* factors, float* scaled)                        \
    {                                                                                                           \
        const float factor = to_float(factors[blockIdx.x]);                                                     \
        const int32 end = expert_rows[blockIdx.x + 1];                                                          \
        for (int32 row = expert_rows[blockIdx.x] + (int32)threadIdx.x; row < end; row += Block)                 \
        {                                                                                                       \
            scaled[row] = weights[row] * factor;                                                                \
        }                                                                                                       \
    }                                                                                                           \
    EXPORT_KERNEL(name)

FORWARD(expert_scale_forward_f32, float)
FORWARD(expert_scale_forward_bf16, bf16)

template <typename T>
DEVICE void scale_back(float* gradient, const float* weights, const int32* expert_rows, const T* factors, float* sums)
{
    __shared__ float parts[Block];
    const float factor = to_float(factors[blockIdx.x]);
    const int32 end = expert_rows[blockIdx.x + 1];
    float part = 0;
    for (int32 row = expert_rows[blockIdx.x] + (int32)threadIdx.x; row < end; row += Block)
    {
        part = fmaf(gradient[row], weights[row], part);
        gradient[row] *= factor;
    }

    parts[threadIdx.x] = part;
    block_barrier();
    if (threadIdx.x == 0)
    {
        float sum = 0;
        for (int i = 0; i < Block; i++)
        {
            sum += parts[i];
        }

        sums[blockIdx.x] = sum;
    }
}

#define BACKWARD(name, T)                                                                                       \
    extern "C" __global__ void __launch_bounds__(256) name(                                                     \
        float* gradient, const float* weights, const int32* expert_rows, const T* factors, float* sums)         \
    {                                                                                                           \
        scale_back(gradient, weights, expert_rows, factors, sums);                                              \
    }                                                                                                           \
    EXPORT_KERNEL(name)

BACKWARD(expert_scale_backward_f32, float)
BACKWARD(expert_scale_backward_bf16, bf16)
