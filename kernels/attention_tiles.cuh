// What attention.cu works on: its arguments, tiles in shared memory, and sums over them.
#pragma once

#include "device.cuh"

const int Threads = 256;

// Running maximum before the first key, and the score of a hidden key: its exponential is 0 under any maximum.
const float NoMaximum = -1e30f;
const float Hidden = -2e30f;

struct Arguments
{
    int32 tokens, row_offset, heads, kv_heads, head_dim, segment_start, segment_end;
    float scale, softcap;
    int32 first, last;

    __device__ int32 stride() const { return heads * head_dim; }
    __device__ int32 kv_stride() const { return 2 * kv_heads * head_dim; }
    __device__ bool has_keys() const { return segment_end > segment_start; }
    __device__ int32 end() const { return min(segment_end, row_offset + tokens); }
    __device__ int32 fours() const { return (head_dim + 3) / 4; }      // groups of 4 columns
    __device__ int32 row_floats() const { return 4 * (fours() | 1); }   // an odd number of 16 bytes: no bank conflicts down a column
    __device__ bool sees(const int32* first_key, int32 token, int32 key) const
    {
        return token < tokens && first_key[token] <= key && key <= row_offset + token;
    }
};

// Scores are kept within the softcap, or not: so that the kernels of most models have nothing of it.
template <bool Capped> DEVICE float score_of(const Arguments& at, float product)
{
    const float score = product * at.scale;
    return Capped ? at.softcap * tanhf(score / at.softcap) : score;
}

// The gradient of a product from that of its score.
template <bool Capped> DEVICE float product_gradient(const Arguments& at, float gradient, float product)
{
    const float scaled = gradient * at.scale;
    if constexpr (!Capped)
    {
        return scaled;
    }

    const float ratio = tanhf(product * at.scale / at.softcap);
    return scaled * fmaf(-ratio, ratio, 1.0f);
}

// A thread's place in a tile of 16 x 16 threads: rows row(), row() + 16, ..., columns column(), column() + 16, ...
DEVICE int32 row_of_thread() { return (int32)threadIdx.x / 16; }

DEVICE int32 column_of_thread() { return (int32)threadIdx.x % 16; }

// Rows of head_dim elements as fp32, those from `valid` on and what fills a row up to a multiple of 4 as zeros.
template <typename T> DEVICE void load_rows(float* tile, const Arguments& at, const T* from, int32 stride, int32 rows, int32 valid)
{
    for (int32 row = (int32)threadIdx.x / 32; row < rows; row += Threads / 32)
    {
        for (int32 column = (int32)threadIdx.x % 32; column < 4 * at.fours(); column += 32)
        {
            tile[row * at.row_floats() + column] =
                row < valid && column < at.head_dim ? to_float(from[(int64)row * stride + column]) : 0.0f;
        }
    }
}

// sums[i][j] += row i of a times row j of b.
template <int Rows> DEVICE void multiply_rows(float (&sums)[Rows][Rows], const Arguments& at, const float* a, const float* b)
{
    for (int32 four = 0; four < at.fours(); four++)
    {
        float4 x[Rows];
        float4 y[Rows];
#pragma unroll
        for (int i = 0; i < Rows; i++)
        {
            x[i] = *reinterpret_cast<const float4*>(a + (row_of_thread() + 16 * i) * at.row_floats() + 4 * four);
            y[i] = *reinterpret_cast<const float4*>(b + (column_of_thread() + 16 * i) * at.row_floats() + 4 * four);
        }

#pragma unroll
        for (int i = 0; i < Rows * Rows; i++)
        {
            const float4 p = x[i / Rows];
            const float4 q = y[i % Rows];
            float& sum = sums[i / Rows][i % Rows];
            sum += p.x * q.x;
            sum += p.y * q.y;
            sum += p.z * q.z;
            sum += p.w * q.w;
        }
    }
}

// The thread's weights into a tile of 16 Rows rows, each followed by 4 unused floats.
template <int Rows> DEVICE void store_weights(float* tile, const float (&weights)[Rows][Rows])
{
#pragma unroll
    for (int i = 0; i < Rows * Rows; i++)
    {
        tile[(row_of_thread() + 16 * (i / Rows)) * (16 * Rows + 4) + column_of_thread() + 16 * (i % Rows)] = weights[i / Rows][i % Rows];
    }
}

// sums of the thread's rows, and of groups of 4 columns 16 apart: += weights times rows.
template <int Rows, int Groups>
DEVICE void add_weighted_rows(float (&sums)[Rows][Groups][4], const Arguments& at, const float* weights, const float* rows)
{
    for (int32 k = 0; k < 16 * Rows; k++)
    {
#pragma unroll
        for (int g = 0; g < Groups; g++)
        {
            const int32 four = column_of_thread() + 16 * g;
            if (four < at.fours())
            {
                const float4 value = *reinterpret_cast<const float4*>(rows + k * at.row_floats() + 4 * four);
#pragma unroll
                for (int i = 0; i < Rows; i++)
                {
                    const float weight = weights[(row_of_thread() + 16 * i) * (16 * Rows + 4) + k];
                    sums[i][g][0] += weight * value.x;
                    sums[i][g][1] += weight * value.y;
                    sums[i][g][2] += weight * value.z;
                    sums[i][g][3] += weight * value.w;
                }
            }
        }
    }
}

// The thread's sums, times a factor for each row, to rows of which those from `valid` on are not there.
template <typename T, int Rows, int Groups> DEVICE void store_rows(
    T* to, const Arguments& at, int32 stride, int32 valid, const float (&sums)[Rows][Groups][4], const float* factors, bool accumulate)
{
#pragma unroll
    for (int i = 0; i < Rows * Groups * 4; i++)
    {
        const int32 row = row_of_thread() + 16 * (i / 4 / Groups);
        const int32 column = 4 * (column_of_thread() + 16 * (i / 4 % Groups)) + i % 4;
        if (row < valid && column < at.head_dim)
        {
            T* place = to + (int64)row * stride + column;
            const float value = sums[i / 4 / Groups][i / 4 % Groups][i % 4] * factors[i / 4 / Groups];
            *place = from_float<T>(accumulate ? to_float(*place) + value : value);
        }
    }
}

// Between the thread's values and its part of `state`, from its float `place` on.
template <bool Store, int Count> DEVICE void copy_state(float* values, float* state, int64 place)
{
#pragma unroll
    for (int i = 0; i < Count; i++)
    {
        float& stored = state[(place + i) * Threads + threadIdx.x];
        (Store ? stored : values[i]) = Store ? values[i] : stored;
    }
}

template <int Rows> struct OnlineSoftmax
{
    float peak[Rows];
    float sum[Rows];

    __device__ void clear()
    {
        for (int i = 0; i < Rows; i++)
        {
            peak[i] = NoMaximum;
            sum[i] = 0.0f;
        }
    }

    // scores of hidden keys become 0, others probabilities under the new maxima; `shrink`: what older sums are worth.
    __device__ void update(float (&scores)[Rows][Rows], float (&shrink)[Rows])
    {
#pragma unroll
        for (int i = 0; i < Rows; i++)
        {
            float most = peak[i];
#pragma unroll
            for (int j = 0; j < Rows; j++)
            {
                most = fmaxf(most, scores[i][j]);
            }

#pragma unroll
            for (int mask = 8; mask > 0; mask >>= 1)
            {
                most = fmaxf(most, shuffle_xor(most, mask));
            }

            // A lane sums its own columns; they come together at the end.
            shrink[i] = expf(peak[i] - most);
            peak[i] = most;
            sum[i] *= shrink[i];
#pragma unroll
            for (int j = 0; j < Rows; j++)
            {
                scores[i][j] = expf(scores[i][j] - most);
                sum[i] += scores[i][j];
            }
        }
    }
};
