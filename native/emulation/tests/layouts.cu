// One warp: the leaf operations against what the test computes plainly.
#include "device.cuh"

// c (16x8, fp32) = a (16x16) b (8x16 transposed); a and b in bf16, row-major; b's rows are the columns of the product.
extern "C" __global__ void matrix_product(const bf16* a, const bf16* b, float* c)
{
    __shared__ __align__(16) bf16 rows_a[16 * 16];
    __shared__ __align__(16) bf16 rows_b[16 * 16];
    const int lane = (int)threadIdx.x;
    for (int i = lane; i < 256; i += 32)
    {
        rows_a[i] = a[i];
        rows_b[i] = b[i];
    }

    warp_barrier();
    uint32 fragment_a[4];
    uint32 fragment_b[4];
    // Matrices in the order of a's fragment: rows 0-7, rows 8-15, then the same of columns 8-15.
    load_matrix_x4(fragment_a, rows_a + (lane % 16) * 16 + lane / 16 * 8);
    // Rows of b are columns of the product: 0-7 with k 0-7, then k 8-15, then 8-15.
    load_matrix_x4(fragment_b, rows_b + (lane % 8 + lane / 16 * 8) * 16 + lane / 8 % 2 * 8);
    for (int half = 0; half < 2; half++)
    {
        float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        mma_16816(d, fragment_a, fragment_b[2 * half], fragment_b[2 * half + 1]);
        const int row = lane / 4;
        const int column = lane % 4 * 2 + 8 * half;
        c[row * 16 + column] = d[0];
        c[row * 16 + column + 1] = d[1];
        c[(row + 8) * 16 + column] = d[2];
        c[(row + 8) * 16 + column + 1] = d[3];
    }
}

EXPORT_KERNEL(matrix_product)

// The same with b row-major as (k, column): transposed on loading.
extern "C" __global__ void matrix_product_transposed(const bf16* a, const bf16* b, float* c)
{
    DYNAMIC_SHARED(shared);
    bf16* rows_a = reinterpret_cast<bf16*>(shared);
    bf16* rows_b = rows_a + 256;
    const int lane = (int)threadIdx.x;
    copy_async_16(rows_a + 8 * lane, a + 8 * lane, true);
    copy_async_16(rows_b + 8 * lane, b + 8 * lane, true);
    copy_async_commit();
    copy_async_wait<0>();
    block_barrier();
    uint32 fragment_a[4];
    uint32 fragment_b[4];
    load_matrix_x4(fragment_a, rows_a + (lane % 16) * 16 + lane / 16 * 8);
    load_matrix_x4_transposed(fragment_b, rows_b + (lane % 16) * 16 + lane / 16 * 8);
    for (int half = 0; half < 2; half++)
    {
        float d[4] = {1.0f, 1.0f, 1.0f, 1.0f};
        mma_16816(d, fragment_a, fragment_b[2 * half], fragment_b[2 * half + 1]);
        const int row = lane / 4;
        const int column = lane % 4 * 2 + 8 * half;
        c[row * 16 + column] = d[0];
        c[row * 16 + column + 1] = d[1];
        c[(row + 8) * 16 + column] = d[2];
        c[(row + 8) * 16 + column + 1] = d[3];
    }
}

EXPORT_KERNEL(matrix_product_transposed)

// Sums over warp and block, and shuffles, of blocks of many warps; out: 8 floats a thread.
extern "C" __global__ void reductions(const float* in, float* out)
{
    __shared__ float scratch[32];
    const int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x;
    const float value = in[i];
    out[8 * i] = warp_sum(value);
    out[8 * i + 1] = warp_max(value);
    out[8 * i + 2] = block_sum(value, scratch);
    out[8 * i + 3] = block_max(value, scratch);
    out[8 * i + 4] = shuffle_xor(value, 5);
    out[8 * i + 5] = shuffle_down(value, 7);
    out[8 * i + 6] = bits_to_float(shuffle(float_to_bits(value), 3));
    out[8 * i + 7] = (float)shuffle_xor((double)value, 16);
}

EXPORT_KERNEL(reductions)

extern "C" __global__ void packs(const bf16* in, bf16* out, float* exponentials, int64 count)
{
    const int64 i = 8 * ((int64)blockIdx.x * blockDim.x + threadIdx.x);
    if (i < count)
    {
        Pack<bf16> pack = load_pack(in + i);
        for (int k = 0; k < 8; k++)
        {
            exponentials[i + k] = exp2_fast(pack.v[k]);
            pack.v[k] *= 3.0f;
        }

        store_pack(out + i, pack);
    }
}

EXPORT_KERNEL(packs)
