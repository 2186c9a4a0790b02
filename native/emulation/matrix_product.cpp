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

// One tile of the sums over k from `begin` to `end`.
void tile(const float* a, const float* b, int64_t begin, int64_t end, int chain, float (&total)[TileRows][TileColumns])
{
    std::memset(total, 0, sizeof(total));
    for (int64_t start = begin; start < end; start += chain)
    {
        Vector sums[TileRows][2] = {};
        const int64_t stop = std::min<int64_t>(end, start + chain);
        for (int64_t k = start; k < stop; k++)
        {
            Vector columns[2];
            std::memcpy(columns, b + k * TileColumns, sizeof(columns));
            for (int row = 0; row < TileRows; row++)
            {
                const float value = a[k * TileRows + row];
                sums[row][0] += value * columns[0];
                sums[row][1] += value * columns[1];
            }
        }

        float chained[TileRows][TileColumns];
        std::memcpy(chained, sums, sizeof(chained));
        for (int row = 0; row < TileRows; row++)
        {
            for (int column = 0; column < TileColumns; column++)
            {
                total[row][column] += chained[row][column];
            }
        }
    }
}

} // namespace

void multiply(float alpha, const Matrix& a, const Matrix& b, float beta, const Matrix& c, const Matrix& d, ProductAlgorithm algorithm)
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
            float sums[TileRows][TileColumns] = {};
            for (int64_t begin = 0; begin < depth; begin += part)
            {
                float total[TileRows][TileColumns];
                tile(a_group, b_group, begin, std::min(depth, begin + part), algorithm.chain, total);
                for (int i = 0; i < TileRows; i++)
                {
                    for (int j = 0; j < TileColumns; j++)
                    {
                        sums[i][j] = begin == 0 ? total[i][j] : sums[i][j] + total[i][j];
                    }
                }
            }

            for (int64_t j = 0; j < std::min<int64_t>(TileColumns, d.columns - column); j++)
            {
                for (int64_t i = 0; i < std::min<int64_t>(TileRows, d.rows - row); i++)
                {
                    const float value = alpha * sums[i][j];
                    store(d, row + i, column + j, beta == 0.0f ? value : value + beta * load(c, row + i, column + j));
                }
            }
        }
    }
}

} // namespace emulation
