// dense[i] = stored[i]: a copy of a weight that is stored in a type of its own, in the type that products take.
//
// dequantize_<stored>_<f32|bf16>: stored [count], dense [count], overwritten. Each element's value in fp32, rounded once. Stored bf16 or
// int8, whose values are code times scale, rounded to fp32 first.
//   grid ceil(count / 2,048); block 256; no dynamic shared memory. Any count; what lies behind the last element is not looked at.
#include "device.cuh"

const int Width = 8;

// How a type stores elements: its values of `here` elements, at most Width, from a multiple of Width on.
struct StoredBf16
{
    DEVICE void load(const void* data, int64 first, int here, float (&v)[Width])
    {
        const bf16* from = static_cast<const bf16*>(data) + first;
        if (here == Width)
        {
            load_elements<Width>(from, v);
            return;
        }

        for (int i = 0; i < here; i++)
        {
            v[i] = to_float(from[i]);
        }
    }
};

// Groups of 128 elements: the scales of four blocks of 32 (fp32), then the 128 codes.
struct StoredInt8
{
    DEVICE void load(const void* data, int64 first, int here, float (&v)[Width])
    {
        const int within = (int)(first % 128);
        const uint8* group = static_cast<const uint8*>(data) + first / 128 * 144;
        const float scale = reinterpret_cast<const float*>(group)[within / 32];
        const int8* codes = reinterpret_cast<const int8*>(group + 16 + within);
        if (here == Width)
        {
            const uint2 words = *reinterpret_cast<const uint2*>(codes);
#pragma unroll
            for (int i = 0; i < Width; i++)
            {
                v[i] = (float)(int8)((i < 4 ? words.x : words.y) >> 8 * (i % 4)) * scale;
            }

            return;
        }

        for (int i = 0; i < here; i++)
        {
            v[i] = (float)codes[i] * scale;
        }
    }
};

template <typename Stored, typename T> DEVICE void dequantize(const void* stored, T* dense, int64 count)
{
    const int64 first = ((int64)blockIdx.x * blockDim.x + threadIdx.x) * Width;
    if (first >= count)
    {
        return;
    }

    const int here = count - first < Width ? (int)(count - first) : Width;
    float v[Width];
    Stored::load(stored, first, here, v);
    if (here == Width)
    {
        store_elements<Width>(dense + first, v);
        return;
    }

    for (int i = 0; i < here; i++)
    {
        dense[first + i] = from_float<T>(v[i]);
    }
}

extern "C" __global__ void __launch_bounds__(256) dequantize_bf16_f32(const void* stored, float* dense, int64 count)
{
    dequantize<StoredBf16>(stored, dense, count);
}
EXPORT_KERNEL(dequantize_bf16_f32)

extern "C" __global__ void __launch_bounds__(256) dequantize_int8_f32(const void* stored, float* dense, int64 count)
{
    dequantize<StoredInt8>(stored, dense, count);
}
EXPORT_KERNEL(dequantize_int8_f32)

extern "C" __global__ void __launch_bounds__(256) dequantize_int8_bf16(const void* stored, bf16* dense, int64 count)
{
    dequantize<StoredInt8>(stored, dense, count);
}
EXPORT_KERNEL(dequantize_int8_bf16)
