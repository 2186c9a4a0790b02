// Units with a weight for each row: s = w f(g) u with an activation f of activations.cuh, named as in gated_activation.cu; without a gate
// s = w f(u), named as in ungated_activation.cu, and gate_up is u, [rows, columns].
//
// weighted_<unit>_forward_<f32|bf16>: gate_up [rows, 2 columns] (gate, then up), weights [rows] fp32, out [rows, columns], overwritten.
// weighted_<unit>_backward_<f32|bf16>, in place: gradient [rows, columns] is replaced by s, bit for bit the forward's; gate_up by its
//   gradient, dg = w ds u f'(g), du = w ds f(g); grad_weights [rows] fp32 is overwritten: the sum over a row's columns of ds f(g) u, in an
//   order that the number of columns alone gives.
//   Without a gate du = w ds f'(u), and grad_weights is the sum of ds f(u).
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

template <typename Activation, typename T> DEVICE void forward_ungated(const T* up, const float* weights, T* out, int32 columns)
{
    const int count = Pack<T>::Count;
    const int64 row = blockIdx.x;
    const float weight = weights[row];
    for (int32 j = threadIdx.x * count; j < columns; j += 256 * count)
    {
        Pack<T> u = load_pack(up + row * columns + j);
#pragma unroll
        for (int c = 0; c < count; c++)
        {
            u.v[c] = product(weight, Activation::at(u.v[c]).value);
        }

        store_pack(out + row * columns + j, u);
    }
}

template <typename Activation, typename T>
DEVICE void backward_ungated(T* gradient, T* up, const float* weights, float* grad_weights, int32 columns)
{
    __shared__ float scratch[8];
    const int count = Pack<T>::Count;
    const int64 row = blockIdx.x;
    T* places = up + row * columns;
    T* inner = gradient + row * columns;
    const float weight = weights[row];
    float sum = 0;
    for (int32 j = threadIdx.x * count; j < columns; j += 256 * count)
    {
        Pack<T> u = load_pack(places + j);
        Pack<T> d = load_pack(inner + j);
#pragma unroll
        for (int c = 0; c < count; c++)
        {
            const Point at = Activation::at(u.v[c]);
            sum = fmaf(d.v[c], at.value, sum);
            u.v[c] = product(weight, d.v[c]) * at.slope;
            d.v[c] = product(weight, at.value);
        }

        store_pack(inner + j, d);
        store_pack(places + j, u);
    }

    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0)
    {
        grad_weights[row] = sum;
    }
}

#define WEIGHTED_ENTRIES(name, suffix, Activation, T, gate)                                                                        \
    extern "C" __global__ void __launch_bounds__(256)                                                                              \
        name##_forward_##suffix(const T* gate_up, const float* weights, T* out, int32 columns)                                     \
    {                                                                                                                              \
        forward##gate<Activation>(gate_up, weights, out, columns);                                                                 \
    }                                                                                                                              \
    EXPORT_KERNEL(name##_forward_##suffix)                                                                                         \
    extern "C" __global__ void __launch_bounds__(256)                                                                              \
        name##_backward_##suffix(T* gradient, T* gate_up, const float* weights, float* grad_weights, int32 columns)                \
    {                                                                                                                              \
        backward##gate<Activation>(gradient, gate_up, weights, grad_weights, columns);                                             \
    }                                                                                                                              \
    EXPORT_KERNEL(name##_backward_##suffix)

#define WEIGHTED_UNIT(name, Activation, gate)                             \
    WEIGHTED_ENTRIES(name, f32, Activation, float, gate)                  \
    WEIGHTED_ENTRIES(name, bf16, Activation, bf16, gate)                  \
    WEIGHTED_ENTRIES(name, f32_unaligned, Activation, Loose<float>, gate) \
    WEIGHTED_ENTRIES(name, bf16_unaligned, Activation, Loose<bf16>, gate)

#define WEIGHTED_ACTIVATION(unit, name, Activation) \
    WEIGHTED_UNIT(weighted_##unit, Activation, )    \
    WEIGHTED_UNIT(weighted_##name, Activation, _ungated)

WEIGHTED_ACTIVATION(swi_glu, silu, Silu)
WEIGHTED_ACTIVATION(ge_glu, gelu, Gelu)
WEIGHTED_ACTIVATION(ge_glu_tanh, gelu_tanh, GeluTanh)
WEIGHTED_ACTIVATION(re_glu, relu, Relu)
WEIGHTED_ACTIVATION(squared_re_glu, squared_relu, SquaredRelu)
