// Planted faults of kernels: each is found, and named.
#include "driver_api.h"
#include "run_kernel.h"
#include "test.h"

using emulation::Array;
using emulation::Kernel;

namespace
{

std::vector<float> numbers(size_t count)
{
    std::vector<float> values(count);
    for (size_t i = 0; i < count; i++)
    {
        values[i] = static_cast<float>(i + 1);
    }

    return values;
}

Kernel faulty(const char* name) { return Kernel(kernel_file("faults"), name); }

} // namespace

TEST(An_offset_off_by_16_bytes_is_found)
{
    Array<float> x(numbers(256)), y(256);
    const Kernel scale = faulty("scale");
    scale.run({1}, {64}, 0, x.device(), y.device(), 0);
    check(y.host()[255] == 512, "the right offset is no fault");
    check_fails([&] { scale.run({1}, {64}, 0, x.device(), y.device(), 4); },
        {"kernel 'scale'", "block (0,0,0), thread (63,0,0) reads 16 bytes at 0 bytes past the end of device allocation", "(1024 bytes)"});
    check_fails([&] { scale.run({1}, {64}, 0, x.device(), y.device(), -4); }, {"reads 16 bytes at 16 bytes before device allocation"});
}

TEST(An_offset_off_by_16_bytes_inside_an_arena_is_found_where_ranges_are_declared)
{
    Array<float> arena(numbers(1024));
    const Kernel scale = faulty("scale");
    const auto at = reinterpret_cast<uint64_t>(arena.device());
    const DataflowEmulationRange ranges[] = {{at, 1024, DATAFLOW_EMULATION_READ, 0}, {at + 2048, 1024, DATAFLOW_EMULATION_WRITE, 0}};
    dataflowEmulationDeclareRanges(nullptr, ranges, 2);
    scale.run({1}, {64}, 0, arena.device(), arena.device() + 512, 0);
    check_fails([&] { scale.run({1}, {64}, 0, arena.device() + 4, arena.device() + 512, 0); },
        {"reads 16 bytes", "+ 1024, which is not in the ranges that were declared"});
    check_fails([&] { scale.run({1}, {64}, 0, arena.device(), arena.device() + 508, 0); },
        {"writes 16 bytes", "+ 2032, which is not in the ranges that were declared"});
    check_fails([&] { scale.run({1}, {64}, 0, arena.device() + 512, arena.device() + 512, 0); }, {"reads 16 bytes", "declared"});
    dataflowEmulationDeclareRanges(nullptr, nullptr, -1);
    scale.run({1}, {64}, 0, arena.device() + 4, arena.device() + 512, 0);
}

TEST(A_use_after_free_is_found)
{
    Array<float> y(256);
    DeviceAddress freed;
    {
        Array<float> x(numbers(256));
        freed = reinterpret_cast<DeviceAddress>(x.device());
    }

    check_fails(
        [&] { faulty("scale").run({1}, {64}, 0, reinterpret_cast<float*>(freed), y.device(), 0); }, {"(1024 bytes) + ", "which was freed"});
}

TEST(A_misaligned_access_of_16_bytes_is_found)
{
    Array<float> x(numbers(512)), y(512);
    check_fails([&] { faulty("scale").run({1}, {64}, 0, x.device() + 1, y.device(), 0); }, {"reads 16 bytes", "no multiple of 16"});
    check_fails([&] { faulty("scale").run({1}, {64}, 0, x.device(), y.device() + 2, 0); }, {"writes 16 bytes", "no multiple of 16"});
}

TEST(An_unwritten_output_is_found_when_it_is_read)
{
    Array<float> x(256), y(256);
    const Kernel fill = faulty("fill"), scale = faulty("scale");
    fill.run({1}, {64}, 0, x.device(), 256, 1);
    scale.run({1}, {64}, 0, x.device(), y.device(), 0);
    Array<float> short_of_one(256);
    fill.run({1}, {64}, 0, short_of_one.device(), 256, 0);
    check_fails([&] { scale.run({1}, {64}, 0, short_of_one.device(), y.device(), 0); },
        {"thread (63,0,0) reads 16 bytes", "+ 1008, which nothing has written"});
    check_fails([&] { short_of_one.host(); }, {"copy from device to host", "which nothing has written"});
}

TEST(A_missing_block_barrier_is_found)
{
    Array<float> x(numbers(256)), y(256);
    for (const char* name : {"reverse", "reuse"})
    {
        Kernel kernel = faulty(name);
        for (kernel.seed = 0; kernel.seed < 20; kernel.seed++)
        {
            kernel.run({1}, {256}, 0, x.device(), y.device(), 1);
            check_fails([&] { kernel.run({1}, {256}, 0, x.device(), y.device(), 0); }, {name, "static shared memory"});
        }
    }
}

TEST(A_missing_warp_barrier_is_found)
{
    Array<float> x(numbers(64)), y(64);
    Kernel kernel = faulty("warp_exchange");
    for (kernel.seed = 0; kernel.seed < 20; kernel.seed++)
    {
        kernel.run({1}, {64}, 0, x.device(), y.device(), 1);
        check(y.host()[0] == 2 && y.host()[1] == 1, "lanes exchange their values");
        check_fails([&] { kernel.run({1}, {64}, 0, x.device(), y.device(), 0); }, {"static shared memory"});
    }
}

TEST(Divergence_is_found)
{
    Array<float> y(64);
    check_fails([&] { faulty("diverge").run({1}, {64}, 0, y.device()); },
        {"kernel 'diverge'", "block (0,0,0)", "40 of 64 threads",
            "block barrier while others of the block have ended (thread (40,0,0) first)"});
    check_fails([&] { faulty("diverge_in_warp").run({1}, {64}, 0, y.device()); },
        {"20 of 32 threads", "wait at a warp operation that others of the warp do not reach"});
    check_fails([&] { faulty("different_operations").run({1}, {64}, 0, y.device()); }, {"warp operation of another kind"});
    check_fails([&] { faulty("diverge_in_warp").run({1}, {48}, 0, y.device()); }, {"kernel 'diverge_in_warp'"});
}

TEST(A_missing_wait_for_an_asynchronous_copy_is_found)
{
    Array<float> x(numbers(128)), y(128);
    const Kernel copy = faulty("copy_through_shared"), few = faulty("wait_for_too_few");
    copy.run({1}, {32}, 512, x.device(), y.device(), 1);
    check(y.host() == numbers(128), "the copy is complete");
    check_fails([&] { copy.run({1}, {32}, 512, x.device(), y.device(), 0); }, {"dynamic shared memory", "has not landed"});
    few.run({1}, {32}, 1024, x.device(), y.device(), 0);
    check_fails([&] { few.run({1}, {32}, 1024, x.device(), y.device(), 1); }, {"has not landed"});
}

TEST(Asynchronous_copies_of_words_start_anywhere_on_4_bytes)
{
    Array<float> x(numbers(65)), y(64);
    const Kernel copy = faulty("copy_words");
    copy.run({1}, {64}, 256, x.device(), y.device(), 4);
    const std::vector<float> found = y.host();
    for (size_t i = 0; i < found.size(); i++)
    {
        check(found[i] == (i % 3 == 0 ? 0.0f : static_cast<float>(i + 2)), "word " + std::to_string(i));
    }

    check_fails([&] { copy.run({1}, {64}, 256, x.device(), y.device(), 2); },
        {"copies 4 bytes asynchronously from an address that is no multiple of 4"});
}

TEST(Shared_memory_has_ends_and_starts_unwritten)
{
    Array<float> y(64);
    faulty("read_beyond_shared").run({1}, {64}, 256, y.device(), 63);
    check_fails([&] { faulty("read_beyond_shared").run({1}, {64}, 256, y.device(), 64); },
        {"0 bytes past the end of the launch's 256 bytes of dynamic shared memory"});
    check_fails([&] { faulty("read_unwritten_shared").run({1}, {64}, 0, y.device()); },
        {"static shared memory", "which the block has not written"});
    faulty("index_outside").run({1}, {32}, 0, y.device(), 31);
    check_fails([&] { faulty("index_outside").run({1}, {32}, 0, y.device(), 32); }, {"uses the index 32 outside its array", "faults.cu"});
}

TEST(Blocks_that_write_one_word_conflict_unless_atomically)
{
    Array<uint32_t> word(std::vector<uint32_t>{0});
    faulty("count_blocks").run({5}, {32}, 0, word.device(), 1);
    check(word.host()[0] == 5, "each block has added");
    check_fails(
        [&] { faulty("count_blocks").run({5}, {32}, 0, word.device(), 0); }, {"block (1,0,0)", "another block of the launch has written"});
}

TEST(Blocks_that_take_turns_do_not_conflict)
{
    Array<float> row(std::vector<float>(64));
    Array<uint32_t> ticket(std::vector<uint32_t>{0}), turn(std::vector<uint32_t>{0});
    for (int launch = 0; launch < 2; launch++)
    {
        faulty("take_turns").run({4}, {64}, 0, row.device(), ticket.device(), turn.device(), 1);
    }

    check(row.host()[17] == 20, "each block has added its number, twice");
    check_fails([&] { faulty("take_turns").run({4}, {64}, 0, row.device(), ticket.device(), turn.device(), 0); },
        {"block (1,0,0)", "another block of the launch has written"});
}

TEST(Threads_may_write_the_same_value_and_no_other)
{
    Array<float> y(64);
    faulty("agree").run({1}, {64}, 0, y.device(), 1);
    check_fails([&] { faulty("agree").run({1}, {64}, 0, y.device(), 0); },
        {"writes 4 bytes at static shared memory", "no barrier between the two"});
}

TEST(Neighbours_of_two_bytes_do_not_conflict)
{
    Array<uint16_t> x(std::vector<uint16_t>(64, 0x3f80)), y(64);
    faulty("halves").run({1}, {64}, 0, x.device(), y.device());
    check(y.host()[5] == 0x3f80, "1 / 1 is 1");
}

TEST(Halves_of_words_that_others_wrote_are_told_apart_from_there_on)
{
    Array<uint32_t> y(64);
    Kernel kernel = faulty("words_and_halves");
    for (kernel.seed = 0; kernel.seed < 20; kernel.seed++)
    {
        kernel.run({1}, {64}, 0, y.device(), 1, 1);
        check(y.host()[5] == 37, "the upper half of the word of another warp's thread");
        check_fails([&] { kernel.run({1}, {64}, 0, y.device(), 0, 1); }, {"reads 2 bytes at static shared memory"});
        check_fails([&] { kernel.run({1}, {64}, 0, y.device(), 1, 0); },
            {"reads 2 bytes at static shared memory", "which the block has not written"});
    }
}

TEST(The_order_of_threads_is_reproducible_and_found_faults_stay_the_same)
{
    Array<float> x(numbers(256)), y(256);
    auto message = [&](uint64_t seed) {
        Kernel kernel = faulty("reverse");
        kernel.seed = seed;
        try
        {
            kernel.run({1}, {256}, 0, x.device(), y.device(), 0);
        }
        catch (const std::exception& error)
        {
            const std::string text = error.what();
            return text.substr(text.find("thread"));
        }

        return std::string();
    };
    check(message(3) == message(3), "the same seed finds the same fault");
    check(message(3) != message(4), "another seed runs threads in another order");
}
