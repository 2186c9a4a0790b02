#include "matrix_product.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace emulation
{

namespace
{

constexpr int TileRows = 4;
constexpr int TileColumns = 16;

typedef float Vector __attribute__((vector_size(32)));
constexpr int VectorWidth = 8;

// Sums of a tile; two vectors a row.
struct Tile
{
    Vector rows[TileRows][2];

    float at(int row, int column) const { return rows[row][column / VectorWidth][column % VectorWidth]; }

    void add(const Tile& other)
    {
        for (int row = 0; row < TileRows; row++)
        {
            rows[row][0] += other.rows[row][0];
            rows[row][1] += other.rows[row][1];
        }
    }
};

float load(const Matrix& m, int64_t row, int64_t column)
{
    const int64_t at = row * m.row_stride + column * m.column_stride;
    if (m.type == ElementType::Float32)
    {
        return static_cast<const float*>(m.data)[at];
    }

    const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t*>(m.data)[at]) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

void store(const Matrix& m, int64_t row, int64_t column, float value)
{
    const int64_t at = row * m.row_stride + column * m.column_stride;
    if (m.type == ElementType::Float32)
    {
        static_cast<float*>(m.data)[at] = value;
        return;
    }

    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    static_cast<uint16_t*>(m.data)[at] = value != value ? 0x7fff : static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Rows of a, or columns of b, in groups of `width`: for each k, the group's elements lie together. Zeros fill the last group.
template <int Width, bool Rows> void pack(const Matrix& m, std::vector<float>& packed)
{
    const int64_t count = Rows ? m.rows : m.columns;
    const int64_t depth = Rows ? m.columns : m.rows;
    packed.assign(static_cast<size_t>((count + Width - 1) / Width * Width * depth), 0.0f);
    for (int64_t group = 0; group * Width < count; group++)
    {
        float* to = packed.data() + group * Width * depth;
        const int64_t filled = std::min<int64_t>(Width, count - group * Width);
        for (int64_t k = 0; k < depth; k++)
        {
            for (int64_t i = 0; i < filled; i++)
            {
                to[k * Width + i] = Rows ? load(m, group * Width + i, k) : load(m, k, group * Width + i);
            }
        }
    }
}

Vector load_vector(const float* at)
{
    Vector value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}

// The sums of one chain. Each has a name, so that it stays in a register.
Tile chain_of_products(const float* a, const float* b, int64_t count)
{
    Vector s00 = {}, s01 = {}, s10 = {}, s11 = {}, s20 = {}, s21 = {}, s30 = {}, s31 = {};
    for (int64_t k = 0; k < count; k++, a += TileRows, b += TileColumns)
    {
        const Vector left = load_vector(b), right = load_vector(b + VectorWidth);
        s00 += a[0] * left;
        s01 += a[0] * right;
        s10 += a[1] * left;
        s11 += a[1] * right;
        s20 += a[2] * left;
        s21 += a[2] * right;
        s30 += a[3] * left;
        s31 += a[3] * right;
    }

    return {{{s00, s01}, {s10, s11}, {s20, s21}, {s30, s31}}};
}

// One tile of the sums over k from `begin` to `end`.
Tile sum_of_chains(const float* a, const float* b, int64_t begin, int64_t end, int chain)
{
    Tile total = {};
    for (int64_t start = begin; start < end; start += chain)
    {
        total.add(chain_of_products(a + start * TileRows, b + start * TileColumns, std::min<int64_t>(chain, end - start)));
    }

    return total;
}

} // namespace

void multiply(float alpha, const Matrix& a, const Matrix& b, float beta, const Matrix& c, const Matrix& bias, const Matrix& d,
    ProductAlgorithm algorithm)
{
    static std::vector<float> packed_a, packed_b; // the driver runs one operation at a time
    pack<TileRows, true>(a, packed_a);
    pack<TileColumns, false>(b, packed_b);
    const int64_t depth = a.columns;
    const int64_t part = std::max<int64_t>(1, (depth + algorithm.splits - 1) / algorithm.splits);
    for (int64_t column = 0; column < d.columns; column += TileColumns)
    {
        const float* b_group = packed_b.data() + column * depth;
        for (int64_t row = 0; row < d.rows; row += TileRows)
        {
            const float* a_group = packed_a.data() + row * depth;
            Tile sums = sum_of_chains(a_group, b_group, 0, std::min(depth, part), algorithm.chain);
            for (int64_t begin = part; begin < depth; begin += part)
            {
                sums.add(sum_of_chains(a_group, b_group, begin, std::min(depth, begin + part), algorithm.chain));
            }

            for (int64_t j = 0; j < std::min<int64_t>(TileColumns, d.columns - column); j++)
            {
                for (int64_t i = 0; i < std::min<int64_t>(TileRows, d.rows - row); i++)
                {
                    const float value = alpha * sums.at(static_cast<int>(i), static_cast<int>(j));
                    const float sum = beta == 0.0f ? value : value + beta * load(c, row + i, column + j);
                    store(d, row + i, column + j, bias.data == nullptr ? sum : sum + load(bias, row + i, 0));
                }
            }
        }
    }
}

} // namespace emulation
