// Rows of a table by token id, and the segmented sum that is its backward.
//
// embedding_forward_<f32|bf16>: ids [rows] int32, table [vocab, columns]; x [rows, columns] = table[ids], overwritten.
//   grid rows; block clamp(ceil(columns / Count / 2) rounded up to 32, 32, 512), Count elements in 16 bytes.
//
// embedding_backward_<f32|bf16|bf16_f32>: ids of all rows of dx [.., columns]; order [tokens] int32, the rows that count, sorted by
//   (id, row); dtable [vocab, columns]. For each distinct id the rows of dx are summed in fp32 in that order; the sum is added to the
//   id's row of dtable and rounded once. Other rows are not touched.
//   grid ceil(ceil(tokens / 8) * ceil(columns / Count / 32) / 4); block 128. A warp owns 8 positions of the order and 32 packs of the
//   columns: it sums the segments that start in its positions, wherever they end.
//
// columns a multiple of Count. No dynamic shared memory.
#include "device.cuh"

template <typename T> DEVICE void gather(const int32* ids, const T* table, T* x, int32 columns)
{
    const int count = Pack<T>::Count;
    const int batch = 2;
    const T* from = table + (int64)ids[blockIdx.x] * columns;
    T* to = x + (int64)blockIdx.x * columns;
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
                *reinterpret_cast<uint4*>(to + start + i * step) = raw[i];
            }
        }
    }
}

const uint32 None = 0xffffffffu;

// Position `index` of the order, and the id there; None for both beyond the end.
DEVICE void look_up(const int32* ids, const int32* order, int32 tokens, int64 index, uint32& row, uint32& id)
{
    row = None;
    id = None;
    if (index >= 0 && index < tokens)
    {
        row = (uint32)order[index];
        id = (uint32)ids[row];
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

// The rest of a segment that goes on from position `index`: 32 positions at a time, 8 rows under way at once.
template <int Width, typename T>
DEVICE void add_rest(const int32* ids, const int32* order, int32 tokens, int64 index, uint32 segment, const T* dx, int32 columns, bool valid, float (&sum)[Width])
{
    const int batch = 8;
    for (bool going = true; going; index += 32)
    {
        uint32 row;
        uint32 id;
        look_up(ids, order, tokens, index + threadIdx.x % 32, row, id);
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

template <typename T, typename G>
DEVICE void scatter(const int32* ids, const int32* order, const T* dx, G* dtable, int32 tokens, int32 columns)
{
    const int width = Pack<T>::Count;
    const int positions = 8;
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
    look_up(ids, order, tokens, begin - 1 + threadIdx.x % 32, row, id);

    uint32 segments[positions + 1];
    uint4 raw[positions];
    float old[positions][width];
    bool begun = false;
    segments[0] = shuffle(id, 1);
#pragma unroll
    for (int i = 0; i < positions; i++)
    {
        segments[i + 1] = shuffle(id, i + 2);
        begun = begun || segments[i] != shuffle(id, i);
        const uint32 from = shuffle(row, i + 1);
        raw[i] = make_uint4(0, 0, 0, 0);
        if (begun && valid && from != None)
        {
            raw[i] = load_raw(dx + (int64)from * columns);
            if (segments[i + 1] != segments[i])
            {
                load_elements(dtable + (int64)segments[i] * columns, old[i]);
            }
        }
    }

    float sum[width] = {};
    begun = false;
#pragma unroll
    for (int i = 0; i < positions; i++)
    {
        const bool starts = segments[i] != (i == 0 ? shuffle(id, 0) : segments[i - 1]);
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
        if (begun && valid && segments[i] != None && segments[i + 1] != segments[i])
        {
            add(old[i], sum);
            store_elements(dtable + (int64)segments[i] * columns, old[i]);
        }
    }

    if (begun && segments[positions] != None && segments[positions] == segments[positions - 1])
    {
        add_rest(ids, order, tokens, begin + positions, segments[positions], dx, columns, valid, sum);
        if (valid)
        {
            float gradient[width];
            load_elements(dtable + (int64)segments[positions] * columns, gradient);
            add(gradient, sum);
            store_elements(dtable + (int64)segments[positions] * columns, gradient);
        }
    }
}

extern "C" __global__ void __launch_bounds__(512) embedding_forward_f32(const int32* ids, const float* table, float* x, int32 columns)
{
    gather(ids, table, x, columns);
}
EXPORT_KERNEL(embedding_forward_f32)

extern "C" __global__ void __launch_bounds__(512) embedding_forward_bf16(const int32* ids, const bf16* table, bf16* x, int32 columns)
{
    gather(ids, table, x, columns);
}
EXPORT_KERNEL(embedding_forward_bf16)

extern "C" __global__ void __launch_bounds__(128)
embedding_backward_f32(const int32* ids, const int32* order, const float* dx, float* dtable, int32 tokens, int32 columns)
{
    scatter(ids, order, dx, dtable, tokens, columns);
}
EXPORT_KERNEL(embedding_backward_f32)

extern "C" __global__ void __launch_bounds__(128)
embedding_backward_bf16(const int32* ids, const int32* order, const bf16* dx, bf16* dtable, int32 tokens, int32 columns)
{
    scatter(ids, order, dx, dtable, tokens, columns);
}
EXPORT_KERNEL(embedding_backward_bf16)

extern "C" __global__ void __launch_bounds__(128)
embedding_backward_bf16_f32(const int32* ids, const int32* order, const bf16* dx, float* dtable, int32 tokens, int32 columns)
{
    scatter(ids, order, dx, dtable, tokens, columns);
}
EXPORT_KERNEL(embedding_backward_bf16_f32)
