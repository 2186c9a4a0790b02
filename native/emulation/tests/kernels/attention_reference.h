// The float64 definition of attention, and inputs for it.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

// What a chunk attends to. Window rows are those of documents, each from its start in `documents` to the next one's; a document
// of one row is also what padding looks like. (Attention windows are another matter.)
struct AttentionShape
{
    int tokens;
    int row_offset;
    int heads;
    int kv_heads;
    int head_dim;
    std::vector<int> documents = {0}; // window rows, ascending, the first 0
    float multiplier = 0;             // of products; 0: 1 / sqrt(head_dim)
    float softcap = 0;                // 0: none
    int window = 0;                   // most keys that a token attends to, its own among them; 0: no limit

    int rows() const { return row_offset + tokens; }
    int q_columns() const { return heads * head_dim; }
    int kv_columns() const { return 2 * kv_heads * head_dim; }
    float scale() const { return multiplier != 0 ? multiplier : static_cast<float>(1 / std::sqrt(static_cast<double>(head_dim))); }
    const char* capped() const { return softcap == 0 ? "" : "_capped"; }
    std::vector<int32_t> first_key() const;
    std::string name() const;
};

struct AttentionTensors
{
    std::vector<double> q, kv, output_gradient;
    std::vector<double> o, lse, dq, dkv;
};

// Normally distributed inputs and their outputs and gradients; inputs are numbers of bf16 or fp32.
AttentionTensors attention_reference(const AttentionShape& shape, bool bf16, uint64_t seed);

uint16_t to_bf16(float value);
float from_bf16(uint16_t bits);

// What the kernels gave; bf16 as floats.
struct AttentionResult
{
    std::vector<float> o, lse, dq, dkv;

    // Bit by bit.
    bool operator==(const AttentionResult& other) const;
};

// Limits of |values - expected| / |expected|; those of dk and dv are apart.
struct AttentionLimits
{
    double o, lse, dq, dk, dv;
};

void check_attention(const std::string& what, const AttentionResult& result, const AttentionTensors& expected, const AttentionShape& shape,
    const AttentionLimits& limits);

// Where the window is cut into segments, the ends not among them; nothing: a window in one piece.
typedef std::vector<int> Cuts;

// Stored as the kernels take them.
template <typename T> std::vector<T> stored(const std::vector<double>& values)
{
    std::vector<T> result;
    for (const double value : values)
    {
        result.push_back(sizeof(T) == 2 ? static_cast<T>(to_bf16(static_cast<float>(value))) : static_cast<T>(value));
    }

    return result;
}

inline std::vector<float> floats(const std::vector<float>& values) { return values; }

std::vector<float> floats(const std::vector<uint16_t>& values);

template <typename T> std::vector<T> rows_of(const std::vector<T>& values, int columns, int from, int to)
{
    return std::vector<T>(values.begin() + static_cast<size_t>(from) * columns, values.begin() + static_cast<size_t>(to) * columns);
}

inline uint32_t blocks(int64_t count, int64_t size) { return static_cast<uint32_t>((count + size - 1) / size); }
