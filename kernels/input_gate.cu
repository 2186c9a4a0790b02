// y = f(gate) x: what a layer takes of a token besides the stream, gated. Activations f of activations.cuh, by the units' names in
// gated_activation.cu.
//
// input_gate_<unit>_forward_<f32|bf16>: gate, y [rows, columns]; x [rows, columns], rows `stride` elements apart. Overwrites y.
// input_gate_<unit>_backward_<f32|bf16>, in place: gradient [rows, columns] of y is replaced by y, bit for bit the forward's; gate by its
//   gradient, dy x f'(gate). x_gradient, dy f(gate), is overwritten, rows `stride` elements apart; null: it is not wanted.
// fp32 arithmetic, each output rounded once. A thread has one element.
//   grid ceil(rows columns / 256); block 256; no dynamic shared memory.
#include "activations.cuh"

template <typename Activation, typename T>
DEVICE void gate_forward(const T* gate, const T* x, T* y, int32 rows, int32 columns, int32 stride)
{
    const int64 i = (int64)blockIdx.x * 256 + threadIdx.x;
    if (i < (int64)rows * columns)
    {
        y[i] = from_float<T>(Activation::at(to_float(gate[i])).value * to_float(x[i / columns * stride + i % columns]));
    }
}

template <typename Activation, typename T>
DEVICE void gate_backward(T* gradient, T* gate, const T* x, T* x_gradient, int32 rows, int32 columns, int32 stride)
{
    const int64 i = (int64)blockIdx.x * 256 + threadIdx.x;
    if (i < (int64)rows * columns)
    {
        const int64 place = i / columns * stride + i % columns;
        const Point at = Activation::at(to_float(gate[i]));
        const float value = to_float(x[place]);
        const float dy = to_float(gradient[i]);
        gradient[i] = from_float<T>(at.value * value);
        gate[i] = from_float<T>(dy * value * at.slope);
        if (x_gradient != nullptr)
        {
            x_gradient[place] = from_float<T>(dy * at.value);
        }
    }
}

#define INPUT_GATE_OF(name, activation, suffix, T)                                                                                  \
    extern "C" __global__ void __launch_bounds__(256) input_gate_##name##_forward_##suffix(                                        \
        const T* gate, const T* x, T* y, int32 rows, int32 columns, int32 stride)                                                  \
    {                                                                                                                              \
        gate_forward<activation, T>(gate, x, y, rows, columns, stride);                                                            \
    }                                                                                                                              \
    EXPORT_KERNEL(input_gate_##name##_forward_##suffix)                                                                            \
    extern "C" __global__ void __launch_bounds__(256) input_gate_##name##_backward_##suffix(                                       \
        T* gradient, T* gate, const T* x, T* x_gradient, int32 rows, int32 columns, int32 stride)                                  \
    {                                                                                                                              \
        gate_backward<activation, T>(gradient, gate, x, x_gradient, rows, columns, stride);                                        \
    }                                                                                                                              \
    EXPORT_KERNEL(input_gate_##name##_backward_##suffix)

#define INPUT_GATE(name, activation)             \
    INPUT_GATE_OF(name, activation, f32, float)  \
    INPUT_GATE_OF(name, activation, bf16, bf16)

INPUT_GATE(swi_glu, Silu)
INPUT_GATE(ge_glu, Gelu)
INPUT_GATE(ge_glu_tanh, GeluTanh)
INPUT_GATE(re_glu, Relu)
INPUT_GATE(squared_re_glu, SquaredRelu)
