// heads.cu: parts of heads put together and taken apart, bit for bit but for sums.
#include "kernel_test.h"

namespace
{

template <typename T> void check_heads(int rows, int heads, int plain, int turned, int value)
{
    const int head = plain + turned, width = plain + value;
    const std::string where = std::to_string(heads) + " heads of " + std::to_string(plain) + " + " + std::to_string(turned) + ", values of "
        + std::to_string(value);
    Numbers numbers(heads + turned);
    const std::vector<T> up = numbers.many<T>(static_cast<size_t>(rows) * heads * width),
                         rotated = numbers.many<T>(static_cast<size_t>(rows) * turned);
    const std::vector<float> gradient = numbers.many<float>(static_cast<size_t>(rows) * 2 * heads * head);
    Array<T> device_up(up), device_rotated(rotated), joined(gradient.size()), grad_up(up.size()), grad_rotated(rotated.size());
    Array<float> device_gradient(gradient);
    const std::string type = Type<T>::Name;
    const uint32_t grid = rows;
    kernel("heads", "join_heads_" + type)
        .run({grid}, {256}, 0, device_up.device(), device_rotated.device(), joined.device(), heads, head, turned, value);
    kernel("heads", "split_heads_" + type)
        .run({grid}, {256}, 0, device_gradient.device(), grad_up.device(), grad_rotated.device(), heads, head, turned, value);

    // Where each number of a row belongs; a turned one to all heads.
    std::vector<T> expected, ups = up, of_all = rotated;
    for (int r = 0; r < rows; r++)
    {
        const T* own = &up[static_cast<size_t>(r) * heads * width];
        const T* all = &rotated[static_cast<size_t>(r) * turned];
        const float* g = &gradient[static_cast<size_t>(r) * 2 * heads * head];
        std::vector<float> sums(turned);
        for (int h = 0; h < heads; h++)
        {
            for (int half = 0; half < 2; half++)
            {
                for (int i = 0; i < turned / 2; i++)
                {
                    expected.push_back(all[half * turned / 2 + i]);
                    sums[half * turned / 2 + i] += g[h * head + half * head / 2 + i];
                }

                for (int i = 0; i < plain / 2; i++)
                {
                    expected.push_back(own[h * width + half * plain / 2 + i]);
                    ups[(static_cast<size_t>(r) * heads + h) * width + half * plain / 2 + i] =
                        rounded<T>(g[h * head + half * head / 2 + turned / 2 + i]);
                }
            }
        }

        for (int h = 0; h < heads; h++)
        {
            for (int i = 0; i < head; i++)
            {
                expected.push_back(i < value ? own[h * width + plain + i] : T{});
                if (i < value)
                {
                    ups[(static_cast<size_t>(r) * heads + h) * width + plain + i] = rounded<T>(g[(heads + h) * head + i]);
                }
            }
        }

        for (int i = 0; i < turned; i++)
        {
            of_all[static_cast<size_t>(r) * turned + i] = rounded<T>(sums[i]);
        }
    }

    check_same(joined.host(), expected, "heads, " + where);
    check_same(grad_up.host(), ups, "gradients of each head's own, " + where);
    check_same(grad_rotated.host(), of_all, "gradients of what is one for all, " + where);
}

template <typename T> void check_widths(int rows, int heads, int width, int wanted)
{
    const std::vector<T> from = Numbers(width).many<T>(static_cast<size_t>(rows) * heads * width);
    Array<T> device_from(from), to(static_cast<size_t>(rows) * heads * wanted);
    kernel("heads", std::string("resize_heads_") + Type<T>::Name)
        .run({static_cast<uint32_t>(rows)}, {256}, 0, device_from.device(), to.device(), heads, width, wanted);
    std::vector<T> expected;
    for (int i = 0; i < rows * heads * wanted; i++)
    {
        expected.push_back(i % wanted < width ? from[static_cast<size_t>(i / wanted) * width + i % wanted] : T{});
    }

    check_same(to.host(), expected, "heads of " + std::to_string(width) + " as heads of " + std::to_string(wanted));
}

} // namespace

TEST(HeadsArePutTogetherAndTheirGradientsTakenApart)
{
    check_heads<float>(3, 4, 16, 8, 16);
    check_heads<float>(5, 3, 2, 6, 5);
    check_heads<Bf16>(2, 16, 128, 64, 128);
    check_heads<Bf16>(4, 1, 6, 2, 8);
}

TEST(HeadsAreMadeNarrowerAndWider)
{
    check_widths<float>(3, 4, 24, 16);
    check_widths<float>(3, 5, 7, 12);
    check_widths<Bf16>(2, 16, 192, 128);
    check_widths<Bf16>(2, 16, 128, 192);
}
