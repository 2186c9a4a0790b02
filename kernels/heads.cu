// Parts of heads, put together and taken apart again (latent attention). H heads of a width hd, each key of which is a part that is turned,
// one for all heads, and a part of its own: in either half of hd first a half of the former, then a half of the latter. up [rows, H (plain
// + value)] has of each head its own part of the key, then its value; plain = hd - turned; turned and plain are even.
//
// join_heads_<f32|bf16>: key_value [rows, 2 H hd]: the keys, then the values with zeros behind each. Overwritten.
// split_heads_<f32|bf16>: of the gradient of these, fp32, the gradients of up and of the turned part [rows, turned], the latter summed
//   over heads, in their order. fp32, rounded once; both are overwritten.
// resize_heads_<f32|bf16>: to [rows, H wanted] = the first columns of each head of from [rows, H width], zeros behind them.
// A block has a row: grid rows; block 256; no dynamic shared memory.
#include "device.cuh"

template <typename T> DEVICE void join(const T* up, const T* rotated, T* key_value, int32 heads, int32 head, int32 turned, int32 value)
{
    const int32 plain = head - turned;
    const T* from = up + (int64)blockIdx.x * heads * (plain + value);
    const T* of_all = rotated + (int64)blockIdx.x * turned;
    T* to = key_value + (int64)blockIdx.x * 2 * heads * head;
    for (int32 j = threadIdx.x; j < heads * head; j += 256)
    {
        const int32 h = j / head, at = j % head;
        const int32 half = at / (head / 2), i = at % (head / 2) - turned / 2;
        to[j] = i < 0 ? of_all[(half + 1) * (turned / 2) + i] : from[h * (plain + value) + half * (plain / 2) + i];
        to[heads * head + j] = at < value ? from[h * (plain + value) + plain + at] : from_float<T>(0.0f);
    }
}

template <typename T>
DEVICE void split(const float* key_value, T* up, T* rotated, int32 heads, int32 head, int32 turned, int32 value)
{
    const int32 plain = head - turned, width = plain + value;
    const float* from = key_value + (int64)blockIdx.x * 2 * heads * head;
    T* to = up + (int64)blockIdx.x * heads * width;
    T* of_all = rotated + (int64)blockIdx.x * turned;
    for (int32 j = threadIdx.x; j < heads * width; j += 256)
    {
        const int32 h = j / width, at = j % width;
        const int32 half = at / (plain / 2), i = at % (plain / 2) + turned / 2;
        to[j] = from_float<T>(from[at < plain ? h * head + half * (head / 2) + i : (heads + h) * head + at - plain]);
    }

    for (int32 j = threadIdx.x; j < turned; j += 256)
    {
        const int32 at = j / (turned / 2) * (head / 2) + j % (turned / 2);
        float sum = 0;
        for (int32 h = 0; h < heads; h++)
        {
            sum += from[h * head + at];
        }

        of_all[j] = from_float<T>(sum);
    }
}

template <typename T> DEVICE void resize(const T* from, T* to, int32 heads, int32 width, int32 wanted)
{
    const T* row = from + (int64)blockIdx.x * heads * width;
    T* result = to + (int64)blockIdx.x * heads * wanted;
    for (int32 j = threadIdx.x; j < heads * wanted; j += 256)
    {
        const int32 at = j % wanted;
        result[j] = at < width ? row[j / wanted * width + at] : from_float<T>(0.0f);
    }
}

#define HEADS(type, T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256) join_heads_##type(                                                     \
        const T* up, const T* rotated, T* key_value, int32 heads, int32 head, int32 turned, int32 value)                     \
    {                                                                                                                        \
        join(up, rotated, key_value, heads, head, turned, value);                                                            \
    }                                                                                                                        \
    EXPORT_KERNEL(join_heads_##type)                                                                                         \
    extern "C" __global__ void __launch_bounds__(256) split_heads_##type(                                                    \
        const float* key_value, T* up, T* rotated, int32 heads, int32 head, int32 turned, int32 value)                       \
    {                                                                                                                        \
        split(key_value, up, rotated, heads, head, turned, value);                                                           \
    }                                                                                                                        \
    EXPORT_KERNEL(split_heads_##type)                                                                                        \
    extern "C" __global__ void __launch_bounds__(256) resize_heads_##type(                                                   \
        const T* from, T* to, int32 heads, int32 width, int32 wanted)                                                        \
    {                                                                                                                        \
        resize(from, to, heads, width, wanted);                                                                              \
    }                                                                                                                        \
    EXPORT_KERNEL(resize_heads_##type)

HEADS(f32, float)
HEADS(bf16, bf16)
