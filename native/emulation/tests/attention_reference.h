// The float64 definition of attention, and inputs for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

// What a chunk attends to. Window rows are those of documents, each from its start in `documents` to the next one's; a document
// of one row is also what padding looks like.
struct AttentionShape
{
    int tokens;
    int row_offset;
    int heads;
    int kv_heads;
    int head_dim;
    std::vector<int> documents = {0}; // window rows, ascending, the first 0

    int rows() const { return row_offset + tokens; }
    int q_columns() const { return heads * head_dim; }
    int kv_columns() const { return 2 * kv_heads * head_dim; }
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

// |values - expected| / |expected|, which is NaN where a value is.
double relative_error(const std::vector<float>& values, const std::vector<double>& expected);
