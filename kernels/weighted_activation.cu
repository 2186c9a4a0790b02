// Gated units with a weight for each row: s = w f(g) u with an activation f of activations.cuh, named as in gated_activation.cu.
//
// weighted_<unit>_forward_<f32|bf16>: gate_up [rows, 2 columns] (gate, then up), weights [rows] fp32, out [rows, columns], overwritten.
// weighted_<unit>_backward_<f32|bf16>, in place: gradient [rows, columns] is replaced by s, bit for bit the forward's; gate_up by its
//   gradient, dg = w ds u f'(g), du = w ds f(g); grad_weights [rows] fp32 is overwritten: the sum over a row's columns of ds f(g) u, in an
//   order that the number of columns alone gives.
// fp32, each output rounded once.
//   grid rows; block 256; no dynamic shared memory. columns a multiple of the elements in 16 bytes, but for the entry points ending in
//   _unaligned.
#include "activations.cuh"

template <typename Activation, typename T> DEVICE void forward(const T* gate_up, const float* weights, T* out, int32 columns)
{
    const int count = Pack<T>::Count;
    const int64 row = blockIdx.x;
    const T* gates = gate_up + row * 2 * columns;
    const float weight = weights[row];
    for (int32 j = threadIdx.x * count; j < columns; j += 256 * count)
    {
        const Pack<T> g = load_pack(gates + j);
        Pack<T> u = load_pack(gates + columns + j);
#pragma unroll
        for (int c = 0; c < count; c++)
        {
            u.v[c] = product(weight, product(Activation::at(g.v[c]).value, u.v[c]));
        }

        store_pack(out + row * columns + j, u);
    }
}

template <typename Activation, typename T>
DEVICE void backward(T* gradient, T* gate_up, const float* weights, float* grad_weights, int32 columns)
{
    __shared__ float scratch[8];
    const int count = Pack<T>::Count;
    const int64 row = blockIdx.x;
    T* gates = gate_up + row * 2 * columns;
    T* inner = gradient + row * columns;
    const float weight = weights[row];
    float sum = 0;
    for (int32 j = threadIdx.x * count; j < columns; j += 256 * count)
    {
        Pack<T> g = load_pack(gates + j);
        Pack<T> u = load_pack(gates + columns + j);
        Pack<T> d = load_pack(inner + j);
#pragma unroll
        for (int c = 0; c < count; c++)
        {
            const Point at = Activation::at(g.v[c]);
            const float s = product(at.value, u.v[c]);
            const float weighted = product(weight, d.v[c]);
            sum = fmaf(d.v[c], s, sum);
            d.v[c] = product(weight, s);
            g.v[c] = weighted * u.v[c] * at.slope;
            u.v[c] = weighted * at.value;
        }

        store_pack(inner + j, d);
        store_pack(gates + j, g);
        store_pack(gates + columns + j, u);
    }

    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0)
    {
        grad_weights[row] = sum;
    }
}

#define WEIGHTED_ENTRIES(name, suffix, Activation, T)                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                              \
        name##_forward_##suffix(const T* gate_up, const float* weights, T* out, int32 columns)                                     \
    {                                                                                                                              \
        forward<Activation>(gate_up, weights, out, columns);                                                                       \
    }                                                                                                                              \
    EXPORT_KERNEL(name##_forward_##suffix)                                                                                         \
    extern "C" __global__ void __launch_bounds__(256)                                                                              \
        name##_backward_##suffix(T* gradient, T* gate_up, const float* weights, float* grad_weights, int32 columns)                \
    {                                                                                                                              \
        backward<Activation>(gradient, gate_up, weights, grad_weights, columns);                                                   \
    }                                                                                                                              \
    EXPORT_KERNEL(name##_backward_##suffix)

#define WEIGHTED_ACTIVATION(name, Activation)                       \
    WEIGHTED_ENTRIES(name, f32, Activation, float)                  \
    WEIGHTED_ENTRIES(name, bf16, Activation, bf16)                  \
    WEIGHTED_ENTRIES(name, f32_unaligned, Activation, Loose<float>) \
    WEIGHTED_ENTRIES(name, bf16_unaligned, Activation, Loose<bf16>)

WEIGHTED_ACTIVATION(weighted_swi_glu, Silu)
WEIGHTED_ACTIVATION(weighted_ge_glu, Gelu)
WEIGHTED_ACTIVATION(weighted_ge_glu_tanh, GeluTanh)
WEIGHTED_ACTIVATION(weighted_re_glu, Relu)
WEIGHTED_ACTIVATION(weighted_squared_re_glu, SquaredRelu)
