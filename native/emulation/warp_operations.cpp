#include "warp_operations.h"

#include <cstring>

namespace emulation
{

namespace
{

constexpr uint32_t Lanes = BlockRuntime::WarpSize;

typedef float Row __attribute__((vector_size(32), may_alias));

float widen(uint32_t bf16_bits)
{
    const uint32_t bits = bf16_bits << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

// A lane that names no lane of the warp gets its own value.
void shuffle(WarpOperation operation, Thread* lanes)
{
    uint64_t values[Lanes];
    for (uint32_t i = 0; i < Lanes; i++)
    {
        values[i] = lanes[i].argument->bits;
    }

    for (uint32_t i = 0; i < Lanes; i++)
    {
        const int argument = lanes[i].argument->argument;
        const uint32_t source = operation == WarpOperation::ShuffleXor ? i ^ static_cast<uint32_t>(argument)
            : operation == WarpOperation::ShuffleDown ? i + static_cast<uint32_t>(argument)
                                                      : static_cast<uint32_t>(argument) % Lanes;
        lanes[i].argument->bits = values[source < Lanes ? source : i];
    }
}

// Lane i gives the row i % 8 of matrix i / 8. Lane l gets of each matrix the elements 2 (l % 4) and the one after it of row l / 4,
// or, transposed, of column l / 4.
void load_matrix(Thread* lanes, bool transposed)
{
    uint16_t rows[Lanes][8];
    for (uint32_t i = 0; i < Lanes; i++)
    {
        std::memcpy(rows[i], lanes[i].argument->row, sizeof(rows[i]));
    }

    for (uint32_t lane = 0; lane < Lanes; lane++)
    {
        const uint32_t group = lane / 4;
        const uint32_t pair = 2 * (lane % 4);
        for (uint32_t matrix = 0; matrix < 4; matrix++)
        {
            uint16_t(*m)[8] = rows + 8 * matrix;
            const uint32_t low = transposed ? m[pair][group] : m[group][pair];
            const uint32_t high = transposed ? m[pair + 1][group] : m[group][pair + 1];
            lanes[lane].argument->result[matrix] = high << 16 | low;
        }
    }
}

// d (16x8, fp32) += a (16x16) b (16x8), in bf16. With group = lane / 4 and pair = 2 (lane % 4), a lane holds of a the elements
// pair, pair + 1 of rows group and group + 8, then the same 8 columns further; of b the rows pair, pair + 1, then 8 further, of
// column group; of d the elements pair, pair + 1 of rows group and group + 8.
void matrix_product(Thread* lanes)
{
    float a[16][16];
    float b[16][8];
    alignas(sizeof(Row)) float d[16][8];
    for (uint32_t lane = 0; lane < Lanes; lane++)
    {
        const WarpArgument& argument = *lanes[lane].argument;
        const uint32_t group = lane / 4;
        const uint32_t pair = 2 * (lane % 4);
        for (uint32_t i = 0; i < 4; i++)
        {
            const uint32_t row = group + 8 * (i % 2);
            const uint32_t column = pair + 8 * (i / 2);
            a[row][column] = widen(argument.a[i] & 0xffff);
            a[row][column + 1] = widen(argument.a[i] >> 16);
        }

        for (uint32_t i = 0; i < 2; i++)
        {
            b[pair + 8 * i][group] = widen(argument.b[i] & 0xffff);
            b[pair + 8 * i + 1][group] = widen(argument.b[i] >> 16);
            d[group + 8 * i][pair] = argument.d[2 * i];
            d[group + 8 * i][pair + 1] = argument.d[2 * i + 1];
        }
    }

    Row columns[16];
    std::memcpy(columns, b, sizeof(b));
    for (uint32_t row = 0; row < 16; row++)
    {
        Row sum = {};
        for (uint32_t k = 0; k < 16; k++)
        {
            sum += a[row][k] * columns[k];
        }

        Row& result = *reinterpret_cast<Row*>(d[row]);
        result += sum;
    }

    for (uint32_t lane = 0; lane < Lanes; lane++)
    {
        const uint32_t group = lane / 4;
        const uint32_t pair = 2 * (lane % 4);
        lanes[lane].argument->d = EmulationFloat4{d[group][pair], d[group][pair + 1], d[group + 8][pair], d[group + 8][pair + 1]};
    }
}

} // namespace

const char* warp_operation_name(WarpOperation operation)
{
    switch (operation)
    {
    case WarpOperation::Barrier: return "warp_barrier";
    case WarpOperation::ShuffleXor: return "shuffle_xor";
    case WarpOperation::ShuffleDown: return "shuffle_down";
    case WarpOperation::ShuffleIndex: return "shuffle";
    case WarpOperation::LoadMatrix: return "load_matrix_x4";
    case WarpOperation::LoadMatrixTransposed: return "load_matrix_x4_transposed";
    case WarpOperation::MatrixProduct: return "mma_16816";
    default: return "none";
    }
}

void perform_warp_operation(WarpOperation operation, Thread* lanes)
{
    switch (operation)
    {
    case WarpOperation::ShuffleXor:
    case WarpOperation::ShuffleDown:
    case WarpOperation::ShuffleIndex: shuffle(operation, lanes); break;
    case WarpOperation::LoadMatrix: load_matrix(lanes, false); break;
    case WarpOperation::LoadMatrixTransposed: load_matrix(lanes, true); break;
    case WarpOperation::MatrixProduct: matrix_product(lanes); break;
    default: break;
    }
}

} // namespace emulation
