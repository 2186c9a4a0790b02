#include "cudnn_values.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "global_shadow.h"

namespace emulation
{

namespace
{

size_t bytes_of(CudnnData type) { return type == CudnnData::BFloat16 ? 2 : type == CudnnData::Boolean ? 1 : 4; }

uint16_t to_bf16(float value)
{
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return value != value ? 0x7fff : static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float from_bf16(uint16_t half)
{
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

float load(const char* at, CudnnData type)
{
    if (type == CudnnData::Float)
    {
        float value;
        std::memcpy(&value, at, sizeof(value));
        return value;
    }

    if (type == CudnnData::Int32)
    {
        int32_t value;
        std::memcpy(&value, at, sizeof(value));
        return static_cast<float>(value);
    }

    uint16_t half;
    std::memcpy(&half, at, sizeof(half));
    return from_bf16(half);
}

void store(char* at, CudnnData type, float value)
{
    const int32_t whole = static_cast<int32_t>(value);
    const uint16_t half = to_bf16(value);
    const void* from = &value;
    from = type == CudnnData::Int32 ? &whole : from;
    from = type == CudnnData::BFloat16 ? &half : from;
    std::memcpy(at, from, bytes_of(type));
}

// Runs of elements that lie together in memory: `visit(first element in order of dimensions, distance there, element in memory, count)`.
template <typename Visit> void for_runs(const CudnnTensor& tensor, const std::vector<float>& offsets, Visit visit)
{
    std::array<int64_t, 4> steps{};
    steps[3] = 1;
    for (int i = 2; i >= 0; i--)
    {
        steps[static_cast<size_t>(i)] = steps[static_cast<size_t>(i) + 1] * tensor.dimensions[static_cast<size_t>(i) + 1];
    }

    // Along the axis of stride 1 if there is one; tokens lie along the last two's other one.
    size_t inner = 3;
    for (size_t i = 1; i < 4; i++)
    {
        if (tensor.strides[i] == 1 && (tensor.dimensions[i] > tensor.dimensions[inner] || tensor.strides[inner] != 1))
        {
            inner = i;
        }
    }

    const size_t tokens = tensor.strides[2] >= tensor.strides[3] ? 2 : 3;
    std::array<int64_t, 4> most = tensor.dimensions;
    const int64_t run = tensor.strides[inner] == 1 ? most[inner] : 1;
    for (int64_t batch = 0; batch < tensor.dimensions[0]; batch++)
    {
        int64_t base = batch * tensor.strides[0];
        if (tensor.offsets >= 0)
        {
            base = static_cast<int64_t>(offsets[static_cast<size_t>(batch)]);
            most[tokens] = std::min(tensor.dimensions[tokens],
                (static_cast<int64_t>(offsets[static_cast<size_t>(batch) + 1]) - base) / tensor.strides[tokens]);
        }

        std::array<int64_t, 4> ends = most;
        ends[inner] = run > 1 ? 1 : ends[inner];
        for (int64_t h = 0; h < ends[1]; h++)
        {
            for (int64_t i = 0; i < ends[2]; i++)
            {
                for (int64_t j = 0; j < ends[3]; j++)
                {
                    const int64_t first = batch * steps[0] + h * steps[1] + i * steps[2] + j * steps[3];
                    const int64_t element = base + h * tensor.strides[1] + i * tensor.strides[2] + j * tensor.strides[3];
                    visit(first, steps[inner], element, run > 1 ? most[inner] : 1);
                }
            }
        }
    }
}

int64_t element_of(const CudnnTensor& tensor, int64_t index)
{
    int64_t element = 0;
    for (int i = 3; i >= 0; i--)
    {
        element += index % tensor.dimensions[static_cast<size_t>(i)] * tensor.strides[static_cast<size_t>(i)];
        index /= tensor.dimensions[static_cast<size_t>(i)];
    }

    return element;
}

} // namespace

float rounded(float value, CudnnData type)
{
    switch (type)
    {
    case CudnnData::BFloat16: return from_bf16(to_bf16(value));
    case CudnnData::Int32: return std::trunc(value);
    case CudnnData::Boolean: return value != 0 ? 1.0f : 0.0f;
    default: return value;
    }
}

std::vector<float> read_tensor(const CudnnTensor& tensor, const void* memory, const std::vector<float>& offsets)
{
    std::vector<float> values(static_cast<size_t>(tensor.count()), 0.0f);
    const auto bytes = static_cast<int64_t>(bytes_of(tensor.type));
    const char* begin = static_cast<const char*>(memory);
    for_runs(tensor, offsets, [&](int64_t first, int64_t step, int64_t element, int64_t count) {
        const char* at = begin + element * bytes;
        read_range(reinterpret_cast<uintptr_t>(at), static_cast<size_t>(count * bytes), Demand::Written);
        for (int64_t i = 0; i < count; i++)
        {
            values[static_cast<size_t>(first + i * step)] = load(at + i * bytes, tensor.type);
        }
    });
    return values;
}

void write_tensor(const CudnnTensor& tensor, void* memory, const std::vector<float>& offsets, const std::vector<float>& values)
{
    const auto bytes = static_cast<int64_t>(bytes_of(tensor.type));
    char* begin = static_cast<char*>(memory);
    for_runs(tensor, offsets, [&](int64_t first, int64_t step, int64_t element, int64_t count) {
        char* at = begin + element * bytes;
        write_range(reinterpret_cast<uintptr_t>(at), static_cast<size_t>(count * bytes));
        for (int64_t i = 0; i < count; i++)
        {
            store(at + i * bytes, tensor.type, values[static_cast<size_t>(first + i * step)]);
        }
    });
}

std::vector<float> seen_as(const CudnnTensor& x, const std::vector<float>& values, const CudnnTensor& y)
{
    // Where y looks beside all of x there is nothing.
    int64_t span = 1;
    for (const CudnnTensor* tensor : {&x, &y})
    {
        int64_t last = 0;
        for (size_t i = 0; i < 4; i++)
        {
            last += (tensor->dimensions[i] - 1) * tensor->strides[i];
        }

        span = std::max(span, last + 1);
    }

    std::vector<float> memory(static_cast<size_t>(span), std::nanf(""));
    for (int64_t i = 0; i < x.count(); i++)
    {
        memory[static_cast<size_t>(element_of(x, i))] = values[static_cast<size_t>(i)];
    }

    std::vector<float> seen(static_cast<size_t>(y.count()));
    for (int64_t i = 0; i < y.count(); i++)
    {
        seen[static_cast<size_t>(i)] = rounded(memory[static_cast<size_t>(element_of(y, i))], y.type);
    }

    return seen;
}

} // namespace emulation
