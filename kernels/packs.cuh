// Elements in memory, and how threads read and write several of them at once. A part of device.cuh, whose primitives it uses.
#pragma once

// A bfloat16 as it lies in memory.
struct bf16
{
    uint16 bits;
};

DEVICE float to_float(float value) { return value; }

DEVICE float to_float(bf16 value) { return bits_to_float((uint32)value.bits << 16); }

// Rounded to nearest even where the type is narrower. (One template: a specialisation may not be static, as DEVICE is.)
template <typename T> DEVICE T from_float(float value)
{
    if constexpr (sizeof(T) == sizeof(float))
    {
        return T{value};
    }
    else
    {
        return T{(uint16)(pack_bf16(value, 0.0f) & 0xffffu)};
    }
}

// An element of rows that start anywhere, where those of others start on 16 bytes: kernels over it are the same, with packs of one.
template <typename T> struct Loose
{
    T value;
};

template <typename T> DEVICE float to_float(Loose<T> loose) { return to_float(loose.value); }

// 16 bytes of elements as floats: 4 fp32 or 8 bf16. Addresses must be multiples of 16 bytes.
template <typename T> struct Pack
{
    static const int Count = 16 / sizeof(T);
    float v[Count];
};

template <typename T> struct Pack<Loose<T>>
{
    static const int Count = 1;
    float v[Count];
};

// The 16 bytes as they lie in memory: half the registers of a pack of bf16 while nothing is computed from them. A loose element lies
// in the first word, as a float.
template <typename T> DEVICE uint4 load_raw(const T* at)
{
    if constexpr (Pack<T>::Count == 1)
    {
        return make_uint4(float_to_bits(to_float(*at)), 0, 0, 0);
    }
    else
    {
        return *reinterpret_cast<const uint4*>(at);
    }
}

// What was loaded, to the bit.
template <typename T> DEVICE void store_raw(T* at, const uint4& raw)
{
    if constexpr (Pack<T>::Count > 1)
    {
        *reinterpret_cast<uint4*>(at) = raw;
    }
    else if constexpr (sizeof(T) == sizeof(float))
    {
        *at = T{bits_to_float(raw.x)};
    }
    else
    {
        *at = T{(uint16)(raw.x >> 16)};
    }
}

template <typename T> DEVICE Pack<T> unpack(const uint4& raw)
{
    const uint32 words[4] = {raw.x, raw.y, raw.z, raw.w};
    Pack<T> pack;
#pragma unroll
    for (int i = 0; i < (Pack<T>::Count < 4 ? Pack<T>::Count : 4); i++)
    {
        if constexpr (Pack<T>::Count <= 4)
        {
            pack.v[i] = bits_to_float(words[i]);
        }
        else
        {
            pack.v[2 * i] = bits_to_float(words[i] << 16);
            pack.v[2 * i + 1] = bits_to_float(words[i] & 0xffff0000u);
        }
    }

    return pack;
}

template <typename T> DEVICE Pack<T> load_pack(const T* at) { return unpack<T>(load_raw(at)); }

DEVICE void store_pack(float* at, const Pack<float>& pack)
{
    *reinterpret_cast<uint4*>(at) =
        make_uint4(float_to_bits(pack.v[0]), float_to_bits(pack.v[1]), float_to_bits(pack.v[2]), float_to_bits(pack.v[3]));
}

DEVICE void store_pack(bf16* at, const Pack<bf16>& pack)
{
    *reinterpret_cast<uint4*>(at) = make_uint4(pack_bf16(pack.v[0], pack.v[1]), pack_bf16(pack.v[2], pack.v[3]),
        pack_bf16(pack.v[4], pack.v[5]), pack_bf16(pack.v[6], pack.v[7]));
}

template <typename T> DEVICE void store_pack(Loose<T>* at, const Pack<Loose<T>>& pack) { *at = from_float<Loose<T>>(pack.v[0]); }

// N elements as floats: by packs where N is a multiple of a pack, else one by one.
template <int N, typename T> DEVICE void load_elements(const T* at, float (&v)[N])
{
    const int count = Pack<T>::Count;
#pragma unroll
    for (int i = 0; i < N; i += N % count == 0 ? count : 1)
    {
        if constexpr (N % count == 0)
        {
            const Pack<T> pack = load_pack(at + i);
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                v[i + c] = pack.v[c];
            }
        }
        else
        {
            v[i] = to_float(at[i]);
        }
    }
}

template <int N, typename T> DEVICE void store_elements(T* at, const float (&v)[N])
{
    const int count = Pack<T>::Count;
#pragma unroll
    for (int i = 0; i < N; i += N % count == 0 ? count : 1)
    {
        if constexpr (N % count == 0)
        {
            Pack<T> pack;
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                pack.v[c] = v[i + c];
            }

            store_pack(at + i, pack);
        }
        else
        {
            at[i] = from_float<T>(v[i]);
        }
    }
}

// The first `here` of N elements: at most so many are touched, and values beyond are left as they were.
template <int N, typename T> DEVICE void load_first(const T* at, float (&v)[N], int64 here)
{
    if (here >= N)
    {
        load_elements(at, v);
        return;
    }

#pragma unroll
    for (int i = 0; i < N; i++)
    {
        v[i] = i < here ? to_float(at[i]) : v[i];
    }
}

template <int N, typename T> DEVICE void store_first(T* at, const float (&v)[N], int64 here)
{
    if (here >= N)
    {
        store_elements(at, v);
        return;
    }

#pragma unroll
    for (int i = 0; i < N; i++)
    {
        if (i < here)
        {
            at[i] = from_float<T>(v[i]);
        }
    }
}
