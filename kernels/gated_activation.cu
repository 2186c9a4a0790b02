// Gated units: s = f(g) u with an activation f of activations.cuh:
//   swi_glu silu, ge_glu gelu, ge_glu_tanh gelu by tanh, re_glu relu, squared_re_glu relu^2.
//
// <unit>_forward_<f32|bf16>: gate_up [rows, 2 columns] (gate, then up), out [rows, columns], overwritten.
// <unit>_backward_<f32|bf16>, in place: gradient [rows, columns] is replaced by s, bit for bit the forward's; gate_up by its gradient,
//   dg = ds u f'(g), du = ds f(g).
// fp32, each output rounded once.
//   grid rows * ceil(columns / Count / 512), Count elements in 16 bytes; block 256; no dynamic shared memory. columns a multiple of Count,
//   but for the entry points ending in _unaligned: their Count is 1.
#include "activations.cuh"

template <typename Activation, typename T> DEVICE void forward(const T* gate_up, T* out, int32 columns)
{
    const int count = Pack<T>::Count;
    int mine[Batch];
    const int64 row = locate(columns / count, mine);
    const T* gates = gate_up + row * 2 * columns;
    uint4 raw_gate[Batch];
    uint4 raw_up[Batch];
#pragma unroll
    for (int i = 0; i < Batch; i++)
    {
        if (mine[i] >= 0)
        {
            raw_gate[i] = load_raw(gates + mine[i] * count);
            raw_up[i] = load_raw(gates + columns + mine[i] * count);
        }
    }

#pragma unroll
    for (int i = 0; i < Batch; i++)
    {
        if (mine[i] >= 0)
        {
            const Pack<T> g = unpack<T>(raw_gate[i]);
            Pack<T> u = unpack<T>(raw_up[i]);
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                u.v[c] = Activation::at(g.v[c]).value * u.v[c];
            }

            store_pack(out + row * columns + mine[i] * count, u);
        }
    }
}

template <typename Activation, typename T> DEVICE void backward(T* gradient, T* gate_up, int32 columns)
{
    const int count = Pack<T>::Count;
    int mine[Batch];
    const int64 row = locate(columns / count, mine);
    T* gates = gate_up + row * 2 * columns;
    T* inner = gradient + row * columns;
    uint4 raw_gate[Batch];
    uint4 raw_up[Batch];
    uint4 raw_gradient[Batch];
#pragma unroll
    for (int i = 0; i < Batch; i++)
    {
        if (mine[i] >= 0)
        {
            raw_gate[i] = load_raw(gates + mine[i] * count);
            raw_up[i] = load_raw(gates + columns + mine[i] * count);
            raw_gradient[i] = load_raw(inner + mine[i] * count);
        }
    }

#pragma unroll
    for (int i = 0; i < Batch; i++)
    {
        if (mine[i] >= 0)
        {
            Pack<T> g = unpack<T>(raw_gate[i]);
            Pack<T> u = unpack<T>(raw_up[i]);
            Pack<T> d = unpack<T>(raw_gradient[i]);
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                const Point at = Activation::at(g.v[c]);
                const float ds = d.v[c];
                d.v[c] = at.value * u.v[c];
                g.v[c] = ds * u.v[c] * at.slope;
                u.v[c] = ds * at.value;
            }

            store_pack(inner + mine[i] * count, d);
            store_pack(gates + mine[i] * count, g);
            store_pack(gates + columns + mine[i] * count, u);
        }
    }
}

ACTIVATION(swi_glu, Silu)
ACTIVATION(ge_glu, Gelu)
ACTIVATION(ge_glu_tanh, GeluTanh)
ACTIVATION(re_glu, Relu)
ACTIVATION(squared_re_glu, SquaredRelu)
