// Leaf operations against plain definitions.
#include <cmath>

#include "run_kernel.h"
#include "test.h"

using emulation::Array;
using emulation::Kernel;

namespace
{

uint16_t to_bf16(float value)
{
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float from_bf16(uint16_t bf16)
{
    const uint32_t bits = static_cast<uint32_t>(bf16) << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

// Small integers: products and sums are exact, so that any exchange of elements shows.
std::vector<uint16_t> integers(int factor)
{
    std::vector<uint16_t> values(256);
    for (int i = 0; i < 256; i++)
    {
        values[i] = to_bf16(static_cast<float>(i * factor % 61 - 30));
    }

    return values;
}

void check_product(const char* kernel, uint32_t shared, bool b_transposed, float start)
{
    const std::vector<uint16_t> a = integers(17), b = integers(29);
    Array<uint16_t> device_a(a), device_b(b);
    Array<float> c(256);
    Kernel(kernel_file("layouts"), kernel).run({1}, {32}, shared, device_a.device(), device_b.device(), c.device());
    const std::vector<float> result = c.host();
    for (int row = 0; row < 16; row++)
    {
        for (int column = 0; column < 16; column++)
        {
            float expected = start;
            for (int k = 0; k < 16; k++)
            {
                expected += from_bf16(a[row * 16 + k]) * from_bf16(b[b_transposed ? column * 16 + k : k * 16 + column]);
            }

            check(result[row * 16 + column] == expected, "element " + std::to_string(row) + "," + std::to_string(column) + " is " +
                std::to_string(result[row * 16 + column]) + " instead of " + std::to_string(expected));
        }
    }
}

} // namespace

TEST(Ldmatrix_and_mma_have_the_lane_layouts_of_the_PTX_ISA) { check_product("matrix_product", 0, true, 0.0f); }

TEST(Transposed_ldmatrix_and_asynchronous_copies_feed_the_same_product) { check_product("matrix_product_transposed", 1024, false, 1.0f); }

TEST(Reductions_and_shuffles_give_each_thread_its_value)
{
    const uint32_t blocks = 3, threads = 256;
    std::vector<float> in(blocks * threads);
    for (size_t i = 0; i < in.size(); i++)
    {
        in[i] = static_cast<float>(i * 37 % 101);
    }

    Array<float> device_in(in), out(8 * in.size());
    Kernel kernel(kernel_file("layouts"), "reductions");
    for (kernel.seed = 0; kernel.seed < 4; kernel.seed++)
    {
        kernel.run({blocks}, {threads}, 0, device_in.device(), out.device());
        const std::vector<float> result = out.host();
        for (size_t i = 0; i < in.size(); i++)
        {
            const size_t warp = i / 32 * 32, block = i / threads * threads;
            float sums[2] = {}, most[2] = {};
            for (size_t k = 0; k < threads; k++)
            {
                sums[0] += k < 32 ? in[warp + k] : 0;
                most[0] = std::max(most[0], k < 32 ? in[warp + k] : 0);
                sums[1] += in[block + k];
                most[1] = std::max(most[1], in[block + k]);
            }

            const float expected[8] = {
                sums[0], most[0], sums[1], most[1], in[i ^ 5], i % 32 + 7 < 32 ? in[i + 7] : in[i], in[warp + 3], in[i ^ 16]};
            for (int k = 0; k < 8; k++)
            {
                check(result[8 * i + k] == expected[k], "thread " + std::to_string(i) + ", value " + std::to_string(k) + " is " +
                    std::to_string(result[8 * i + k]) + " instead of " + std::to_string(expected[k]));
            }
        }
    }
}

TEST(Packs_round_to_nearest_even)
{
    std::vector<uint16_t> in(4096);
    for (size_t i = 0; i < in.size(); i++)
    {
        in[i] = to_bf16(std::sin(static_cast<float>(i)) * 20);
    }

    Array<uint16_t> device_in(in), out(in.size());
    Array<float> exponentials(in.size());
    Kernel(kernel_file("layouts"), "packs")
        .run({4}, {128}, 0, device_in.device(), out.device(), exponentials.device(), static_cast<int64_t>(in.size()));
    for (size_t i = 0; i < in.size(); i++)
    {
        check(out.host()[i] == to_bf16(from_bf16(in[i]) * 3), "element " + std::to_string(i));
        check(exponentials.host()[i] == std::exp2(from_bf16(in[i])), "2 to the power of element " + std::to_string(i));
    }
}
