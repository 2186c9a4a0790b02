// Rows of a table by token id, and the segmented sum that is its backward.
//
// embedding_forward_<f32|bf16>: ids [rows] int32, table [vocab, columns]; x [rows, columns] = scale table[ids], overwritten; where
//   scale is 1 rows are copied as they are.
//   grid rows; block clamp(ceil(columns / Count / 2) rounded up to 32, 32, 512), Count elements in 16 bytes.
//
// embedding_add_<f32|bf16>: the same rows added to those of x, each element by one fused multiply-add. Launched as embedding_forward.
//
// embedding_block_forward_<f32|bf16>: block [block_rows, columns] holds the rows of the ids from first_id on. Rows of x with other ids are
//   zeroed where zero_others is not 0, else not touched: over all blocks of a table, the first with zeros, x is what the whole gives.
//   Launched as embedding_forward.
//
// embedding_block_add_<f32|bf16>: embedding_add of the rows of x whose ids block [block_rows, columns] holds; the others are not touched,
//   so that over all blocks of a table x is what the whole gives. Launched as embedding_forward.
//
// embedding_backward_<f32|bf16|bf16_f32>: ids of all rows of dx [.., columns]; order [tokens] int32, the rows that count, sorted by
//   (id, row), then -1; dtable [vocab, columns]. For each distinct id the rows of dx are summed in fp32 in that order; the sum, times
//   scale, is added to the id's row of dtable by one fused multiply-add and rounded once. Other rows are not touched.
//   grid ceil(ceil(tokens / 8) * ceil(columns / Count / 32) / 4); block 128. A warp owns 8 positions of the order and 32 packs of the
//   columns: it sums the segments that start in its positions, wherever they end.
//
// embedding_block_backward_<f32|bf16|bf16_f32>: the same for the ids of dblock [block_rows, columns], which holds those from first_id on;
//   rows with other ids are not read. The same bits as the whole's. Launched as embedding_backward.
//
// columns a multiple of Count, but for the entry points ending in _unaligned: their Count is 1. No dynamic shared memory.
#include "device.cuh"

template <typename T> DEVICE void store_scaled(T* at, const uint4& raw, float scale)
{
    Pack<T> pack = unpack<T>(raw);
#pragma unroll
    for (int c = 0; c < Pack<T>::Count; c++)
    {
        pack.v[c] *= scale;
    }

    store_pack(at, pack);
}

template <typename T> DEVICE void copy_row(const T* from, T* to, float scale, int32 columns)
{
    const int count = Pack<T>::Count;
    const int batch = 2;
    const int step = blockDim.x * count;
    for (int start = threadIdx.x * count; start < columns; start += batch * step)
    {
        uint4 raw[batch];
#pragma unroll
        for (int i = 0; i < batch; i++)
        {
            if (start + i * step < columns)
            {
                raw[i] = load_raw(from + start + i * step);
            }
        }

#pragma unroll
        for (int i = 0; i < batch; i++)
        {
            if (start + i * step < columns)
            {
                if (scale == 1.0f)
                {
                    store_raw(to + start + i * step, raw[i]);
                }
                else
                {
                    store_scaled(to + start + i * step, raw[i], scale);
                }
            }
        }
    }
}

template <typename T> DEVICE void gather(const int32* ids, const T* table, T* x, float scale, int32 columns)
{
    copy_row(table + (int64)ids[blockIdx.x] * columns, x + (int64)blockIdx.x * columns, scale, columns);
}

template <typename T> DEVICE void add_row(const T* from, T* to, float scale, int32 columns)
{
    const int count = Pack<T>::Count;
    for (int at = threadIdx.x * count; at < columns; at += blockDim.x * count)
    {
        const Pack<T> row = unpack<T>(load_raw(from + at));
        Pack<T> sum = unpack<T>(load_raw(to + at));
#pragma unroll
        for (int c = 0; c < count; c++)
        {
            sum.v[c] = fmaf(row.v[c], scale, sum.v[c]);
        }

        store_pack(to + at, sum);
    }
}

template <typename T> DEVICE void gather_add(const int32* ids, const T* table, T* x, float scale, int32 columns)
{
    add_row(table + (int64)ids[blockIdx.x] * columns, x + (int64)blockIdx.x * columns, scale, columns);
}

template <typename T>
DEVICE void gather_add_block(const int32* ids, const T* block, T* x, float scale, int32 first_id, int32 block_rows, int32 columns)
{
    const int32 row = ids[blockIdx.x] - first_id;
    if (row >= 0 && row < block_rows)
    {
        add_row(block + (int64)row * columns, x + (int64)blockIdx.x * columns, scale, columns);
    }
}

template <typename T>
DEVICE void gather_block(
    const int32* ids, const T* block, T* x, float scale, int32 first_id, int32 block_rows, int32 columns, int32 zero_others)
{
    const int count = Pack<T>::Count;
    const int32 row = ids[blockIdx.x] - first_id;
    T* to = x + (int64)blockIdx.x * columns;
    if (row >= 0 && row < block_rows)
    {
        copy_row(block + (int64)row * columns, to, scale, columns);
    }
    else if (zero_others != 0)
    {
        for (int at = threadIdx.x * count; at < columns; at += blockDim.x * count)
        {
            store_raw(to + at, make_uint4(0, 0, 0, 0));
        }
    }
}

const uint32 None = 0xffffffffu;
const int32 All = 0x7fffffff;

// The rows of dx sorted by id, and the ids that a table holds: `count` from `first` on.
struct Order
{
    const int32* ids;
    const int32* rows;
    int32 tokens;
    int32 first;
    int32 count;
};

// Position `index` of the order, and the row of the table for the id there; None for both beyond the rows that count and where the table
// has no such row. The order being sorted, what the table has is one run of it.
DEVICE void look_up(const Order& order, int64 index, uint32& row, uint32& id)
{
    row = None;
    id = None;
    if (index >= 0 && index < order.tokens && order.rows[index] >= 0)
    {
        const uint32 from = (uint32)order.rows[index];
        const uint32 to = (uint32)(order.ids[from] - order.first);
        if (to < (uint32)order.count)
        {
            row = from;
            id = to;
        }
    }
}

template <int Width> DEVICE void add(float (&sum)[Width], const float (&value)[Width])
{
#pragma unroll
    for (int c = 0; c < Width; c++)
    {
        sum[c] += value[c];
    }
}

// to += scale sum, each by one rounding.
template <int Width> DEVICE void add_scaled(float (&to)[Width], const float (&sum)[Width], float scale)
{
#pragma unroll
    for (int c = 0; c < Width; c++)
    {
        to[c] = fmaf(sum[c], scale, to[c]);
    }
}

// The rest of a segment that goes on from position `index`: 32 positions at a time, 8 rows under way at once.
template <int Width, typename T>
DEVICE void add_rest(const Order& order, int64 index, uint32 segment, const T* dx, int32 columns, bool valid, float (&sum)[Width])
{
    const int batch = 8;
    for (bool going = true; going; index += 32)
    {
        uint32 row;
        uint32 id;
        look_up(order, index + threadIdx.x % 32, row, id);
        row = id == segment ? row : None;
        for (int first = 0; first < 32 && going; first += batch)
        {
            uint32 rows[batch];
            uint4 raw[batch];
#pragma unroll
            for (int i = 0; i < batch; i++)
            {
                rows[i] = shuffle(row, first + i);
                raw[i] = make_uint4(0, 0, 0, 0);
                if (rows[i] != None && valid)
                {
                    raw[i] = load_raw(dx + (int64)rows[i] * columns);
                }
            }

#pragma unroll
            for (int i = 0; i < batch; i++)
            {
                if (rows[i] != None)
                {
                    add(sum, unpack<T>(raw[i]).v);
                }
            }

            going = rows[batch - 1] != None;
        }
    }
}

template <typename T, typename G> DEVICE void scatter(const Order& order, const T* dx, G* dtable, float scale, int32 columns)
{
    const int width = Pack<T>::Count;
    const int positions = 8;
    const int batch = 4; // rows under way at once: more of them, with what they are added to, take more registers than there are
    const int bands = (columns / width + 31) / 32;
    const int64 unit = (int64)blockIdx.x * 4 + threadIdx.x / 32;
    const int64 begin = unit / bands * positions;
    const int column = ((int)(unit % bands) * 32 + threadIdx.x % 32) * width;
    const bool valid = column < columns;
    dx += column;
    dtable += column;

    // Lane l holds position begin - 1 + l: the one before this warp's, its own, and the one after.
    uint32 row;
    uint32 id;
    look_up(order, begin - 1 + threadIdx.x % 32, row, id);

    uint32 segments[positions + 1];
#pragma unroll
    for (int i = 0; i <= positions; i++)
    {
        segments[i] = shuffle(id, i + 1);
    }

    float sum[width] = {};
    bool begun = false;
#pragma unroll
    for (int first = 0; first < positions; first += batch)
    {
        uint4 raw[batch];
        float old[batch][width];
        bool begins = begun;
#pragma unroll
        for (int i = 0; i < batch; i++)
        {
            const int at = first + i;
            begins = begins || segments[at] != shuffle(id, at);
            const uint32 from = shuffle(row, at + 1);
            raw[i] = make_uint4(0, 0, 0, 0);
            if (begins && valid && from != None)
            {
                raw[i] = load_raw(dx + (int64)from * columns);
                if (segments[at + 1] != segments[at])
                {
                    load_elements(dtable + (int64)segments[at] * columns, old[i]);
                }
            }
        }

#pragma unroll
        for (int i = 0; i < batch; i++)
        {
            const int at = first + i;
            const bool starts = segments[at] != (at == 0 ? shuffle(id, 0) : segments[at - 1]);
            begun = begun || starts;
            if (starts)
            {
#pragma unroll
                for (int c = 0; c < width; c++)
                {
                    sum[c] = 0;
                }
            }

            add(sum, unpack<T>(raw[i]).v);
            if (begun && valid && segments[at] != None && segments[at + 1] != segments[at])
            {
                add_scaled(old[i], sum, scale);
                store_elements(dtable + (int64)segments[at] * columns, old[i]);
            }
        }
    }

    if (begun && segments[positions] != None && segments[positions] == segments[positions - 1])
    {
        add_rest(order, begin + positions, segments[positions], dx, columns, valid, sum);
        if (valid)
        {
            float gradient[width];
            load_elements(dtable + (int64)segments[positions] * columns, gradient);
            add_scaled(gradient, sum, scale);
            store_elements(dtable + (int64)segments[positions] * columns, gradient);
        }
    }
}

#define FORWARD(suffix, T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(512)                                                                            \
        embedding_forward_##suffix(const int32* ids, const T* table, T* x, float scale, int32 columns)                           \
    {                                                                                                                            \
        gather(ids, table, x, scale, columns);                                                                                   \
    }                                                                                                                            \
    EXPORT_KERNEL(embedding_forward_##suffix)                                                                                    \
    extern "C" __global__ void __launch_bounds__(512)                                                                            \
        embedding_add_##suffix(const int32* ids, const T* table, T* x, float scale, int32 columns)                               \
    {                                                                                                                            \
        gather_add(ids, table, x, scale, columns);                                                                               \
    }                                                                                                                            \
    EXPORT_KERNEL(embedding_add_##suffix)                                                                                        \
    extern "C" __global__ void __launch_bounds__(512) embedding_block_forward_##suffix(                                          \
        const int32* ids, const T* block, T* x, float scale, int32 first_id, int32 block_rows, int32 columns, int32 zero_others) \
    {                                                                                                                            \
        gather_block(ids, block, x, scale, first_id, block_rows, columns, zero_others);                                          \
    }                                                                                                                            \
    EXPORT_KERNEL(embedding_block_forward_##suffix)                                                                              \
    extern "C" __global__ void __launch_bounds__(512) embedding_block_add_##suffix(                                              \
        const int32* ids, const T* block, T* x, float scale, int32 first_id, int32 block_rows, int32 columns)                    \
    {                                                                                                                            \
        gather_add_block(ids, block, x, scale, first_id, block_rows, columns);                                                   \
    }                                                                                                                            \
    EXPORT_KERNEL(embedding_block_add_##suffix)

FORWARD(f32, float)
FORWARD(bf16, bf16)
FORWARD(f32_unaligned, Loose<float>)
FORWARD(bf16_unaligned, Loose<bf16>)

#define BACKWARD(suffix, T, G)                                                                                                   \
    extern "C" __global__ void __launch_bounds__(128, 4) embedding_backward_##suffix(                                            \
        const int32* ids, const int32* order, const T* dx, G* dtable, float scale, int32 tokens, int32 columns)                  \
    {                                                                                                                            \
        scatter(Order{ids, order, tokens, 0, All}, dx, dtable, scale, columns);                                                  \
    }                                                                                                                            \
    EXPORT_KERNEL(embedding_backward_##suffix)                                                                                   \
    extern "C" __global__ void __launch_bounds__(128, 4) embedding_block_backward_##suffix(const int32* ids, const int32* order, \
        const T* dx, G* dblock, float scale, int32 tokens, int32 first_id, int32 block_rows, int32 columns)                      \
    {                                                                                                                            \
        scatter(Order{ids, order, tokens, first_id, block_rows}, dx, dblock, scale, columns);                                    \
    }                                                                                                                            \
    EXPORT_KERNEL(embedding_block_backward_##suffix)

BACKWARD(f32, float, float)
BACKWARD(bf16, bf16, bf16)
BACKWARD(bf16_f32, bf16, float)
BACKWARD(f32_unaligned, Loose<float>, Loose<float>)
BACKWARD(bf16_unaligned, Loose<bf16>, Loose<bf16>)
BACKWARD(bf16_f32_unaligned, Loose<bf16>, Loose<float>)
