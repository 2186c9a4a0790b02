// Kernels that only move numbers or add them up: zero, cast, dequantize, accumulate, squared sum, column sum.
#include "kernel_test.h"

#include <numeric>

TEST(ZeroClearsWholePacksAndNothingElse)
{
    for (int64_t bytes : {16, 4096, 16384, 16400, 40000})
    {
        Array<uint8_t> data(bytes);
        kernel("zero", "zero_bytes").run({divided_up(bytes, 16384)}, {256}, 0, data.device(), bytes);
        check_same(data.host(), std::vector<uint8_t>(bytes), std::to_string(bytes) + " bytes and zeros");
    }
}

TEST(CastRoundsToNearestEvenAndBackIsExact)
{
    for (int64_t count : {8, 8192, 8200, 20000})
    {
        std::vector<float> numbers = Numbers(count).many<float>(count, 100);
        const float corners[] = {1.00390625f, 1.01171875f, -1.00390625f, 3.3895314e38f, INFINITY, -INFINITY, 1e-40f, -0.0f};
        std::copy(std::begin(corners), std::end(corners), numbers.end() - 8);
        std::vector<Bf16> narrow;
        std::vector<float> wide;
        for (float number : numbers)
        {
            narrow.push_back(rounded<Bf16>(number));
            wide.push_back(to_float(narrow.back()));
        }

        Array<float> from(numbers), back(count);
        Array<Bf16> to(count);
        kernel("cast", "cast_f32_bf16").run({divided_up(count, 8192)}, {256}, 0, from.device(), to.device(), count);
        check_same(to.host(), narrow, "cast and rounded numbers");
        kernel("cast", "cast_bf16_f32").run({divided_up(count, 8192)}, {256}, 0, to.device(), back.device(), count);
        check_same(back.host(), wide, "numbers cast back");
    }
}

namespace
{

template <typename From, typename To> void check_accumulate(const std::string& name, int64_t count, int64_t tile)
{
    Numbers numbers(count);
    const std::vector<From> addend = numbers.many<From>(count);
    const std::vector<To> old = numbers.many<To>(count);
    std::vector<To> expected;
    for (int64_t i = 0; i < count; i++)
    {
        expected.push_back(rounded<To>(to_float(old[i]) + to_float(addend[i])));
    }

    Array<From> plus(addend);
    Array<To> sum(old);
    kernel("accumulate", "accumulate_" + name).run({divided_up(count, tile)}, {256}, 0, plus.device(), sum.device(), count);
    check_same(sum.host(), expected, "sums of " + name);
}

template <typename T> void check_squared_sum(const std::vector<int64_t>& counts)
{
    int64_t tiles = 0;
    for (int64_t count : counts)
    {
        tiles += divided_up(count, 65536);
    }

    Array<double> partials(tiles), total(1);
    long double expected = 0;
    int64_t tile = 0;
    for (int64_t count : counts)
    {
        const std::vector<T> values = Numbers(count).many<T>(count, 1e-3f);
        for (T value : values)
        {
            expected += static_cast<long double>(to_float(value)) * to_float(value);
        }

        Array<T> data(values);
        kernel("squared_sum", std::string("squared_sum_") + Type<T>::Name + any_rows<T>(count))
            .run({divided_up(count, 65536)}, {256}, 0, data.device(), partials.device() + tile, count);
        tile += divided_up(count, 65536);
    }

    kernel("squared_sum", "squared_sum_total").run({1}, {256}, 0, partials.device(), total.device(), static_cast<int>(tiles));
    check(std::fabs(total.host()[0] - expected) <= 1e-14 * expected, "the sum of squares is off by " +
        std::to_string(static_cast<double>((total.host()[0] - expected) / expected)) + " of itself");
}

template <typename From, typename T> void check_column_sum(const std::string& name, int rows, int columns, bool accumulate)
{
    Numbers numbers(rows + columns);
    const std::vector<From> values = numbers.many<From>(static_cast<size_t>(rows) * columns);
    const std::vector<T> old = numbers.many<T>(columns);
    Array<From> from(values);
    Array<T> out(accumulate ? old : std::vector<T>(columns, rounded<T>(NAN)));
    kernel("column_sum", "column_sum_" + name + any_rows<From>(columns))
        .run({divided_up(columns, 32)}, {256}, 0, from.device(), out.device(), rows, columns, accumulate ? 1 : 0);
    const std::vector<T> result = out.host();
    for (int c = 0; c < columns; c++)
    {
        double sum = accumulate ? to_float(old[c]) : 0;
        for (int r = 0; r < rows; r++)
        {
            sum += to_float(values[static_cast<size_t>(r) * columns + c]);
        }

        check_close(result[c], sum, std::fabs(sum) + 1e-6, 1.01, "column sum of " + std::to_string(rows) + " x " + std::to_string(columns));
    }
}

} // namespace

TEST(AccumulateAddsInFp32AndRoundsOnce)
{
    for (int64_t count : {8, 4096, 8192, 8200, 17000})
    {
        check_accumulate<float, float>("f32", count + 4, 4096);
        check_accumulate<Bf16, Bf16>("bf16", count, 8192);
        check_accumulate<Bf16, float>("bf16_f32", count, 8192);
    }
}

TEST(DequantizeWidensBf16AndNothingElse)
{
    for (int64_t count : {1, 7, 8, 2044, 2048, 2052, 20000})
    {
        const std::vector<Bf16> narrow = Numbers(count).many<Bf16>(count, 100);
        std::vector<float> wide;
        for (Bf16 number : narrow)
        {
            wide.push_back(to_float(number));
        }

        Array<Bf16> stored(narrow);
        Array<float> dense(count);
        kernel("dequantize", "dequantize_bf16_f32").run({divided_up(count, 2048)}, {256}, 0, stored.device(), dense.device(), count);
        check_same(dense.host(), wide, "dense weights");
    }
}

namespace
{
template <typename T> void check_dequantize_int8(int64_t count)
{
    Numbers numbers(count);
    const int64_t groups = (count + 127) / 128;
    std::vector<uint8_t> bytes(groups * 144);
    std::vector<T> expected;
    for (int64_t g = 0; g < groups; g++)
    {
        for (int b = 0; b < 4; b++)
        {
            // From below the least number that has all its bits.
            const float scale = std::ldexp(numbers.next(), numbers.below(240) - 130);
            std::memcpy(&bytes[g * 144 + b * 4], &scale, 4);
            for (int i = b * 32; i < b * 32 + 32; i++)
            {
                const int8_t code = static_cast<int8_t>(numbers.below(255) - 127);
                bytes[g * 144 + 16 + i] = static_cast<uint8_t>(code);
                if (g * 128 + i < count)
                {
                    expected.push_back(rounded<T>(static_cast<float>(code) * scale));
                }
            }
        }
    }

    Array<uint8_t> stored(bytes);
    Array<T> dense(count);
    kernel("dequantize", std::string("dequantize_int8_") + Type<T>::Name)
        .run({divided_up(count, 2048)}, {256}, 0, stored.device(), dense.device(), count);
    check_same(dense.host(), expected, "dense weights");
}
}

TEST(DequantizeOfInt8IsCodeTimesScale)
{
    for (int64_t count : {1, 7, 32, 100, 128, 136, 2048, 20003})
    {
        check_dequantize_int8<float>(count);
        check_dequantize_int8<Bf16>(count);
    }
}

namespace
{
const float Nf4[] = {-1.0f,
                     -0.6961928009986877f,
                     -0.5250730514526367f,
                     -0.39491748809814453f,
                     -0.28444138169288635f,
                     -0.18477343022823334f,
                     -0.09105003625154495f,
                     0.0f,
                     0.07958029955625534f,
                     0.16093020141124725f,
                     0.24611230194568634f,
                     0.33791524171829224f,
                     0.44070982933044434f,
                     0.5626170039176941f,
                     0.7229568362236023f,
                     1.0f};

int64_t aligned(int64_t bytes) { return divided_up(bytes, 16) * 16; }

// Nested scales have codes 127, 255 and 126: 0, 1 and the first number below 0.
template <typename T> void check_dequantize_nf4(int64_t count, bool nested)
{
    Numbers numbers(count);
    const int64_t blocks = divided_up(count, 64);
    const int64_t codes_at = nested ? aligned(4 + divided_up(blocks, 256) * 4) : 0;
    const int64_t packed_at = aligned(nested ? codes_at + blocks : blocks * 4);
    std::vector<uint8_t> bytes(aligned(packed_at + divided_up(count, 2)));
    auto store = [&](int64_t at, float value) { std::memcpy(&bytes[at * 4], &value, 4); };
    const float mean = numbers.next();
    std::vector<float> scales;
    float shared = 0;
    for (int64_t b = 0; b < blocks; b++)
    {
        if (!nested)
        {
            scales.push_back(std::ldexp(numbers.next(), numbers.below(240) - 130));
            store(b, scales.back());
            continue;
        }

        if (b % 256 == 0)
        {
            shared = numbers.next();
            store(0, mean);
            store(1 + b / 256, shared);
        }

        const int kind = numbers.below(3);
        bytes[codes_at + b] = kind == 0 ? 127 : kind == 1 ? 255 : 126;
        const float least = 1e-6f * ((0.1f + 1.0f) * 0.5f);
        const volatile float mapped = (kind == 0 ? 0.0f : kind == 1 ? 1.0f : -least) * shared;
        scales.push_back(mapped + mean);
    }

    std::vector<T> expected;
    for (int64_t i = 0; i < count; i++)
    {
        const int code = numbers.below(16);
        bytes[packed_at + i / 2] |= static_cast<uint8_t>(i % 2 == 0 ? code << 4 : code);
        expected.push_back(rounded<T>(Nf4[code] * scales[i / 64]));
    }

    Array<uint8_t> stored(bytes);
    Array<T> dense(count);
    kernel("dequantize", std::string(nested ? "dequantize_nf4_nested_" : "dequantize_nf4_") + Type<T>::Name)
        .run({divided_up(count, 2048)}, {256}, 0, stored.device(), dense.device(), count);
    check_same(dense.host(), expected, "dense weights");
}
}

TEST(DequantizeOfNf4IsItsCodesValueTimesScale)
{
    for (int64_t count : {1, 7, 64, 100, 2048, 16384, 20003})
    {
        for (bool nested : {false, true})
        {
            check_dequantize_nf4<float>(count, nested);
            check_dequantize_nf4<Bf16>(count, nested);
        }
    }
}

TEST(SquaredSumIsExactToFp64)
{
    check_squared_sum<float>({4});
    check_squared_sum<float>({65536, 4, 131076, 1000});
    check_squared_sum<Bf16>({65536, 8, 131080, 1000});
    check_squared_sum<float>({1, 42, 65537});
    check_squared_sum<Bf16>({43, 131077});
}

TEST(ColumnSumAddsOrOverwrites)
{
    for (int rows : {1, 5, 32, 33, 256, 1000})
    {
        for (int columns : {4, 32, 100, 4096, 1, 42, 1027})
        {
            check_column_sum<float, float>("f32", rows, columns, true);
            check_column_sum<float, Bf16>("bf16", rows, columns, rows % 2 == 0);
        }

        for (int columns : {8, 32, 104, 4096, 1, 42, 1027})
        {
            check_column_sum<Bf16, float>("bf16_f32", rows, columns, rows % 2 == 0);
            check_column_sum<Bf16, Bf16>("bf16_bf16", rows, columns, true);
        }
    }
}

TEST(RowsAreGatheredAndScatteredByNumber)
{
    for (int columns : {4, 12, 288, 1, 42})
    {
        const bool whole_packs = columns % 4 == 0;
        const std::string any = whole_packs ? "" : "_unaligned";
        const int packs = whole_packs ? columns / 4 : columns * 2, many = 40;
        for (int count : {1, 7, 40})
        {
            Numbers numbers(static_cast<uint64_t>(columns * 100 + count));
            std::vector<int32_t> rows(many);
            std::iota(rows.begin(), rows.end(), 0);
            for (int i = many - 1; i > 0; i--)
            {
                std::swap(rows[i], rows[numbers.below(i + 1)]);
            }

            rows.resize(count);
            const std::vector<float> all = numbers.many<float>(static_cast<size_t>(many) * columns);
            const std::vector<float> some = numbers.many<float>(static_cast<size_t>(count) * columns);
            std::vector<float> gathered, scattered = all;
            for (int r = 0; r < count; r++)
            {
                gathered.insert(gathered.end(), all.begin() + rows[r] * columns, all.begin() + (rows[r] + 1) * columns);
                std::copy(some.begin() + r * columns, some.begin() + (r + 1) * columns, scattered.begin() + rows[r] * columns);
            }

            const Array<int32_t> named(rows);
            Array<float> whole(all), part(some), to(static_cast<size_t>(count) * columns);
            const uint32_t grid = divided_up(static_cast<int64_t>(count) * packs, 1024);
            kernel("rows", "gather_rows" + any).run({grid}, {256}, 0, whole.device(), named.device(), to.device(), count, packs);
            check_same(to.host(), gathered, std::to_string(count) + " gathered rows");
            kernel("rows", "scatter_rows" + any).run({grid}, {256}, 0, part.device(), named.device(), whole.device(), count, packs);
            check_same(whole.host(), scattered, std::to_string(count) + " scattered rows");
        }
    }
}
