// y = x sigma(gate): attention's output, gated by a product of its own.
//
// output_gate_forward_<f32|bf16>: x, gate, y [count]; y is overwritten.
// output_gate_backward_<f32|bf16>: gradient [count] of y becomes that of x, gradient sigma(gate); gate's is overwritten:
//   gradient x sigma(gate) (1 - sigma(gate)).
// fp32 arithmetic, each output rounded once. A thread has one element.
//   grid ceil(count / 256); block 256; no dynamic shared memory.
#include "activations.cuh"

DEVICE float sigma(float x) { return reciprocal_fast(1.0f + expf(-x)); }

#define FORWARD(name, T)                                                                                                        \
    extern "C" __global__ void __launch_bounds__(256) name(const T* x, const T* gate, T* y, int64 count)                       \
    {                                                                                                                           \
        const int64 i = (int64)blockIdx.x * 256 + threadIdx.x;                                                                  \
        if (i < count)                                                                                                          \
        {                                                                                                                       \
            y[i] = from_float<T>(to_float(x[i]) * sigma(to_float(gate[i])));                                                    \
        }                                                                                                                       \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

FORWARD(output_gate_forward_f32, float)
FORWARD(output_gate_forward_bf16, bf16)

#define BACKWARD(name, T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256) name(T* gradient, const T* x, const T* gate, T* grad_gate, int64 count)  \
    {                                                                                                                           \
        const int64 i = (int64)blockIdx.x * 256 + threadIdx.x;                                                                  \
        if (i < count)                                                                                                          \
        {                                                                                                                       \
            const float open = sigma(to_float(gate[i]));                                                                        \
            const float passed = to_float(gradient[i]) * open;                                                                  \
            grad_gate[i] = from_float<T>(passed * to_float(x[i]) * (1.0f - open));                                              \
            gradient[i] = from_float<T>(passed);                                                                                \
        }                                                                                                                       \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

BACKWARD(output_gate_backward_f32, float)
BACKWARD(output_gate_backward_bf16, bf16)
