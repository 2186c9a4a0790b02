// dense[i] = stored[i]: a copy of a weight that is stored in a type of its own, in the type that products take.
//
// dequantize_<stored>_<f32|bf16>: stored [count], dense [count], overwritten. Each element's value in fp32, rounded once. Stored bf16,
// int8, nf4 or nf4_nested, whose values are those of the codes times scale, rounded to fp32 first. Nested scales are those of their codes
// times the scales' scale, plus the scales' mean, each rounded to fp32. Int8Blocks and Nf4Tensor of src/Dataflow.Model say where what lies;
// of nf4 `stored` is one tensor of a checkpoint.
//   grid ceil(count / 2,048); block 256; no dynamic shared memory. Any count; what lies behind the last element is not looked at.
#include "dynamic_map.cuh"

const int Width = 8;

// How a type stores `count` elements: its values of `here` of them, at most Width, from a multiple of Width on. All threads of a block
// begin.
struct StoredBf16
{
    __device__ __forceinline__ void begin() {}

    __device__ __forceinline__ void load(const void* data, int64, int64 first, int here, float (&v)[Width]) const
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
    __device__ __forceinline__ void begin() {}

    __device__ __forceinline__ void load(const void* data, int64, int64 first, int here, float (&v)[Width]) const
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

DEVICE int64 divided_up(int64 count, int64 by) { return (count + by - 1) / by; }

// Each run of it begins at a multiple of 16 bytes.
DEVICE int64 aligned(int64 bytes) { return divided_up(bytes, 16) * 16; }

// Blocks of 64 elements; two codes a byte, the first in its high half. Nested scales are in blocks of 256.
template <bool IsNested> struct StoredNf4
{
    float value[16];

    __device__ __forceinline__ void begin()
    {
        if (threadIdx.x < 16)
        {
            value[threadIdx.x] = value_of((int)threadIdx.x);
        }

        block_barrier();
    }

    static __device__ __forceinline__ float value_of(int code)
    {
        switch (code)
        {
        case 0: return -1.0f;
        case 1: return -0.6961928009986877f;
        case 2: return -0.5250730514526367f;
        case 3: return -0.39491748809814453f;
        case 4: return -0.28444138169288635f;
        case 5: return -0.18477343022823334f;
        case 6: return -0.09105003625154495f;
        case 7: return 0.0f;
        case 8: return 0.07958029955625534f;
        case 9: return 0.16093020141124725f;
        case 10: return 0.24611230194568634f;
        case 11: return 0.33791524171829224f;
        case 12: return 0.44070982933044434f;
        case 13: return 0.5626170039176941f;
        case 14: return 0.7229568362236023f;
        default: return 1.0f;
        }
    }

    __device__ __forceinline__ void load(const void* data, int64 count, int64 first, int here, float (&v)[Width]) const
    {
        const int64 blocks = divided_up(count, 64);
        const int64 block = first / 64;
        const float* scales = static_cast<const float*>(data);
        const uint8* bytes = static_cast<const uint8*>(data);
        const int64 codes_at = aligned((1 + divided_up(blocks, 256)) * 4);
        const int64 packed_at = aligned(IsNested ? codes_at + blocks : blocks * 4);
        float scale;
        if (IsNested)
        {
            const float mapped = product(dynamic_value<true>(bytes[codes_at + block]), scales[1 + block / 256]);
            scale = mapped + scales[0];
        }
        else
        {
            scale = scales[block];
        }

        // Bytes of the last elements' word that hold none are the tensor's own.
        const uint32 word = *reinterpret_cast<const uint32*>(bytes + packed_at + first / 2);
#pragma unroll
        for (int i = 0; i < Width; i++)
        {
            v[i] = i < here ? value[word >> (8 * (i / 2) + (i % 2 == 0 ? 4 : 0)) & 15] * scale : 0.0f;
        }
    }
};

template <typename Stored, typename T> DEVICE void dequantize(Stored& storage, const void* stored, T* dense, int64 count)
{
    storage.begin();
    const int64 first = ((int64)blockIdx.x * blockDim.x + threadIdx.x) * Width;
    if (first >= count)
    {
        return;
    }

    const int here = count - first < Width ? (int)(count - first) : Width;
    float v[Width];
    storage.load(stored, count, first, here, v);
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
    StoredBf16 storage;
    dequantize(storage, stored, dense, count);
}
EXPORT_KERNEL(dequantize_bf16_f32)

extern "C" __global__ void __launch_bounds__(256) dequantize_int8_f32(const void* stored, float* dense, int64 count)
{
    StoredInt8 storage;
    dequantize(storage, stored, dense, count);
}
EXPORT_KERNEL(dequantize_int8_f32)

extern "C" __global__ void __launch_bounds__(256) dequantize_int8_bf16(const void* stored, bf16* dense, int64 count)
{
    StoredInt8 storage;
    dequantize(storage, stored, dense, count);
}
EXPORT_KERNEL(dequantize_int8_bf16)

extern "C" __global__ void __launch_bounds__(256) dequantize_nf4_f32(const void* stored, float* dense, int64 count)
{
    __shared__ StoredNf4<false> storage;
    dequantize(storage, stored, dense, count);
}
EXPORT_KERNEL(dequantize_nf4_f32)

extern "C" __global__ void __launch_bounds__(256) dequantize_nf4_bf16(const void* stored, bf16* dense, int64 count)
{
    __shared__ StoredNf4<false> storage;
    dequantize(storage, stored, dense, count);
}
EXPORT_KERNEL(dequantize_nf4_bf16)

extern "C" __global__ void __launch_bounds__(256) dequantize_nf4_nested_f32(const void* stored, float* dense, int64 count)
{
    __shared__ StoredNf4<true> storage;
    dequantize(storage, stored, dense, count);
}
EXPORT_KERNEL(dequantize_nf4_nested_f32)

extern "C" __global__ void __launch_bounds__(256) dequantize_nf4_nested_bf16(const void* stored, bf16* dense, int64 count)
{
    __shared__ StoredNf4<true> storage;
    dequantize(storage, stored, dense, count);
}
EXPORT_KERNEL(dequantize_nf4_nested_bf16)
