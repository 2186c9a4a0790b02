// Units with a weight for each row: s = w f(g) u with an activation f of activations.cuh, named as in gated_activation.cu; without a gate
// s = w f(u), named as in ungated_activation.cu, and gate_up is u, [rows, columns]; or clamped ones, weighted_clamped: with g = min(gate,
// limit) and u = clamp(up, -limit, limit), w g sigma(1.702 g) (u + 1), where what is beyond the limit has no gradient. The others have no
// use for the limit.
//
// weighted_<unit>_forward_<f32|bf16>: gate_up [rows, 2 columns] (gate, then up), weights [rows] fp32, out [rows, columns], overwritten.
// weighted_<unit>_backward_<f32|bf16>, in place: gradient [rows, columns] is replaced by s, bit for bit the forward's; gate_up by its
//   gradient, dg = w ds u f'(g), du = w ds f(g); grad_weights [rows] fp32 is overwritten: the sum over a row's columns of ds f(g) u, in an
//   order that the number of columns alone gives.
// fp32, each output rounded once.
//   grid rows; block 256; no dynamic shared memory. columns a multiple of the elements in 16 bytes, but for the entry points ending in
//   _unaligned.
#include "activations.cuh"

// A unit is the product of a function of the gate and one of up.
template <typename Activation> struct Plain
{
    DEVICE Point gate(float g, float) { return Activation::at(g); }

    DEVICE Point up(float u, float) { return Point{u, 1.0f}; }
};

struct Clamped
{
    DEVICE Point gate(float g, float limit)
    {
        const float bounded = fminf(g, limit);
        const float z = 1.702f * bounded;
        const float sigmoid = reciprocal_fast(1.0f + expf(-z));
        return Point{bounded * sigmoid, g <= limit ? fmaf(z * sigmoid, 1.0f - sigmoid, sigmoid) : 0.0f};
    }

    DEVICE Point up(float u, float limit)
    {
        return Point{fmaxf(fminf(u, limit), -limit) + 1.0f, fabsf(u) <= limit ? 1.0f : 0.0f};
    }
};

template <typename Unit, typename T>
DEVICE void forward(const T* gate_up, const float* weights, T* out, int32 columns, float limit)
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
            u.v[c] = product(weight, product(Unit::gate(g.v[c], limit).value, Unit::up(u.v[c], limit).value));
        }

        store_pack(out + row * columns + j, u);
    }
}

template <typename Unit, typename T>
DEVICE void backward(T* gradient, T* gate_up, const float* weights, float* grad_weights, int32 columns, float limit)
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
            const Point at = Unit::gate(g.v[c], limit);
            const Point up = Unit::up(u.v[c], limit);
            const float s = product(at.value, up.value);
            const float weighted = product(weight, d.v[c]);
            sum = fmaf(d.v[c], s, sum);
            d.v[c] = product(weight, s);
            g.v[c] = weighted * up.value * at.slope;
            u.v[c] = weighted * at.value * up.slope;
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

template <typename Activation, typename T>
DEVICE void forward_ungated(const T* up, const float* weights, T* out, int32 columns, float)
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
DEVICE void backward_ungated(T* gradient, T* up, const float* weights, float* grad_weights, int32 columns, float)
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

#define WEIGHTED_ENTRIES(name, suffix, Unit, T, gate)                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                              \
        name##_forward_##suffix(const T* gate_up, const float* weights, T* out, int32 columns, float limit)                        \
    {                                                                                                                              \
        forward##gate<Unit>(gate_up, weights, out, columns, limit);                                                                \
    }                                                                                                                              \
    EXPORT_KERNEL(name##_forward_##suffix)                                                                                         \
    extern "C" __global__ void __launch_bounds__(256)                                                                              \
        name##_backward_##suffix(T* gradient, T* gate_up, const float* weights, float* grad_weights, int32 columns, float limit)   \
    {                                                                                                                              \
        backward##gate<Unit>(gradient, gate_up, weights, grad_weights, columns, limit);                                            \
    }                                                                                                                              \
    EXPORT_KERNEL(name##_backward_##suffix)

#define WEIGHTED_UNIT(name, Unit, gate)                             \
    WEIGHTED_ENTRIES(name, f32, Unit, float, gate)                  \
    WEIGHTED_ENTRIES(name, bf16, Unit, bf16, gate)                  \
    WEIGHTED_ENTRIES(name, f32_unaligned, Unit, Loose<float>, gate) \
    WEIGHTED_ENTRIES(name, bf16_unaligned, Unit, Loose<bf16>, gate)

#define WEIGHTED_ACTIVATION(unit, name, Activation)     \
    WEIGHTED_UNIT(weighted_##unit, Plain<Activation>, ) \
    WEIGHTED_UNIT(weighted_##name, Activation, _ungated)

WEIGHTED_ACTIVATION(swi_glu, silu, Silu)
WEIGHTED_ACTIVATION(ge_glu, gelu, Gelu)
WEIGHTED_ACTIVATION(ge_glu_tanh, gelu_tanh, GeluTanh)
WEIGHTED_ACTIVATION(re_glu, relu, Relu)
WEIGHTED_ACTIVATION(squared_re_glu, squared_relu, SquaredRelu)
WEIGHTED_UNIT(weighted_clamped, Clamped, )
