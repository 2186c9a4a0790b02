// How norms of rows read what they read beside x: an addend that may be missing, and gradients that are wider than x.
#pragma once

#include "device.cuh"

// A row's addend, or a bias, where there is one. It is loaded when it is needed: the registers hold the row and the weight.
template <typename T> DEVICE void add_pack(Pack<T>& pack, const T* addend, int32 at)
{
    if (addend != nullptr)
    {
        const Pack<T> plus = load_pack(addend + at);
#pragma unroll
        for (int c = 0; c < Pack<T>::Count; c++)
        {
            pack.v[c] += plus.v[c];
        }
    }
}

// As many elements of G as a pack of T has, as floats.
template <typename T, typename G> DEVICE Pack<T> unpack_as(const uint4 (&raw)[Pack<T>::Count / Pack<G>::Count])
{
    Pack<T> pack;
#pragma unroll
    for (int i = 0; i < Pack<T>::Count / Pack<G>::Count; i++)
    {
        const Pack<G> part = unpack<G>(raw[i]);
#pragma unroll
        for (int c = 0; c < Pack<G>::Count; c++)
        {
            pack.v[i * Pack<G>::Count + c] = part.v[c];
        }
    }

    return pack;
}

template <typename T, typename G> DEVICE Pack<T> load_as(const G* at)
{
    Pack<T> pack;
    load_elements(at, pack.v);
    return pack;
}
