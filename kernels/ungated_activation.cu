// An activation f of activations.cuh for every element: s = f(u), by the names silu, gelu, gelu_tanh (by tanh), relu, squared_relu.
//
// <name>_forward_<f32|bf16>: up [rows, columns], out [rows, columns], overwritten.
// <name>_backward_<f32|bf16>, in place: gradient [rows, columns] is replaced by s, bit for bit the forward's; up by its gradient,
//   du = ds f'(u).
// fp32, each output rounded once.
//   grid rows * ceil(columns / Count / 512), Count elements in 16 bytes; block 256; no dynamic shared memory. columns a multiple of Count,
//   but for the entry points ending in _unaligned: their Count is 1.
#include "activations.cuh"

template <typename Activation, typename T> DEVICE void forward(const T* up, T* out, int32 columns)
{
    const int count = Pack<T>::Count;
    int mine[Batch];
    const int64 row = locate(columns / count, mine);
    uint4 raw[Batch];
#pragma unroll
    for (int i = 0; i < Batch; i++)
    {
        if (mine[i] >= 0)
        {
            raw[i] = load_raw(up + row * columns + mine[i] * count);
        }
    }

#pragma unroll
    for (int i = 0; i < Batch; i++)
    {
        if (mine[i] >= 0)
        {
            Pack<T> u = unpack<T>(raw[i]);
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                u.v[c] = Activation::at(u.v[c]).value;
            }

            store_pack(out + row * columns + mine[i] * count, u);
        }
    }
}

template <typename Activation, typename T> DEVICE void backward(T* gradient, T* up, int32 columns)
{
    const int count = Pack<T>::Count;
    int mine[Batch];
    const int64 row = locate(columns / count, mine);
    T* places = up + row * columns;
    T* inner = gradient + row * columns;
    uint4 raw_up[Batch];
    uint4 raw_gradient[Batch];
#pragma unroll
    for (int i = 0; i < Batch; i++)
    {
        if (mine[i] >= 0)
        {
            raw_up[i] = load_raw(places + mine[i] * count);
            raw_gradient[i] = load_raw(inner + mine[i] * count);
        }
    }

#pragma unroll
    for (int i = 0; i < Batch; i++)
    {
        if (mine[i] >= 0)
        {
            Pack<T> u = unpack<T>(raw_up[i]);
            Pack<T> d = unpack<T>(raw_gradient[i]);
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                const Point at = Activation::at(u.v[c]);
                u.v[c] = d.v[c] * at.slope;
                d.v[c] = at.value;
            }

            store_pack(inner + mine[i] * count, d);
            store_pack(places + mine[i] * count, u);
        }
    }
}

ACTIVATION(silu, Silu)
ACTIVATION(gelu, Gelu)
ACTIVATION(gelu_tanh, GeluTanh)
ACTIVATION(relu, Relu)
ACTIVATION(squared_relu, SquaredRelu)
