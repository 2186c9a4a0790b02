// Streams, events and the order between operations.
#include <map>

#include "driver_api.h"
#include "run_kernel.h"
#include "test.h"

using emulation::Array;
using emulation::check_status;
using emulation::Kernel;

namespace
{

constexpr uint32_t Count = 256;

struct Pipeline
{
    Array<float> input{std::vector<float>(Count, 1.0f)};
    Array<float> middle{Count};
    Array<float> output{Count};
    Kernel scale{kernel_file("faults"), "scale"};
    TestStream first, second;
    TestEvent done, unrecorded;

    void launch(void* stream, const Array<float>& from, const Array<float>& to) const
    {
        scale.launch(stream, {1}, {Count / 4}, 0, from.device(), to.device(), 0);
    }
};

DeviceAddress address(const Array<float>& array) { return reinterpret_cast<DeviceAddress>(array.device()); }

void finish() { check_status(cuCtxSynchronize(), "cuCtxSynchronize"); }

std::vector<int> s_order;

void append(void* number) { s_order.push_back(static_cast<int>(reinterpret_cast<intptr_t>(number))); }

// The order in which three streams' host functions run.
std::vector<int> order_of(uint64_t seed)
{
    s_order.clear();
    dataflowEmulationSeed(seed);
    TestStream streams[3];
    for (int i = 0; i < 30; i++)
    {
        cuLaunchHostFunc(streams[i % 3], append, reinterpret_cast<void*>(static_cast<intptr_t>(i)));
    }

    finish();
    return s_order;
}

} // namespace

TEST(An_event_orders_streams)
{
    for (uint64_t seed = 0; seed < 10; seed++)
    {
        Pipeline p;
        dataflowEmulationSeed(seed);
        p.launch(p.first, p.input, p.middle);
        cuEventRecord(p.done, p.first);
        cuStreamWaitEvent(p.second, p.done, 0);
        p.launch(p.second, p.middle, p.output);
        finish();
        check(p.output.host()[9] == 4.0f, "twice scaled");
    }
}

TEST(A_missing_wait_is_found_whatever_the_order)
{
    for (uint64_t seed = 0; seed < 20; seed++)
    {
        Pipeline p;
        std::vector<float> zeros(Count);
        check_status(cuMemcpyHtoD_v2(address(p.middle), zeros.data(), Count * 4), "copy"); // so that it is no unwritten memory
        check_status(cuStreamSynchronize(nullptr), "cuStreamSynchronize");
        dataflowEmulationSeed(seed);
        p.launch(p.first, p.input, p.middle);
        p.launch(p.second, p.middle, p.output);
        check_fails(finish, {"kernel 'scale'", "nothing orders the two"});
    }
}

TEST(A_wait_for_an_event_that_was_never_recorded_is_no_wait)
{
    Pipeline p;
    std::vector<float> zeros(Count);
    check_status(cuMemcpyHtoD_v2(address(p.middle), zeros.data(), Count * 4), "copy");
    check_status(cuStreamSynchronize(nullptr), "cuStreamSynchronize");
    cuStreamWaitEvent(p.second, p.unrecorded, 0);
    p.launch(p.first, p.input, p.middle);
    cuEventRecord(p.unrecorded, p.first);
    p.launch(p.second, p.middle, p.output);
    check_fails(finish, {"nothing orders the two"});
}

TEST(Overwriting_what_another_stream_still_reads_is_found)
{
    for (int wait = 0; wait < 2; wait++)
    {
        Pipeline p;
        p.launch(p.first, p.input, p.output);
        cuEventRecord(p.done, p.first);
        if (wait != 0)
        {
            cuStreamWaitEvent(p.second, p.done, 0);
        }

        cuMemsetD32Async(address(p.input), 0, Count, p.second);
        if (wait != 0)
        {
            finish();
        }
        else
        {
            check_fails(finish, {"fill", "kernel 'scale'", "nothing orders the two"});
        }
    }
}

TEST(Two_readers_may_overlap_and_a_writer_waits_for_both)
{
    for (int waits = 0; waits < 4; waits++)
    {
        Pipeline p;
        TestStream third;
        TestEvent second_done;
        p.launch(p.first, p.input, p.middle);
        cuEventRecord(p.done, p.first);
        p.launch(p.second, p.input, p.output);
        cuEventRecord(second_done, p.second);
        if (waits & 1)
        {
            cuStreamWaitEvent(third, p.done, 0);
        }

        if (waits & 2)
        {
            cuStreamWaitEvent(third, second_done, 0);
        }

        cuMemsetD32Async(address(p.input), 0, Count, third);
        if (waits == 3)
        {
            finish();
        }
        else
        {
            check_fails(finish, {"nothing orders the two"});
        }
    }
}

TEST(Order_is_handed_on_from_stream_to_stream)
{
    Pipeline p;
    TestStream third;
    TestEvent second_done;
    p.launch(p.first, p.input, p.middle);
    cuEventRecord(p.done, p.first);
    cuStreamWaitEvent(p.second, p.done, 0);
    cuEventRecord(second_done, p.second);
    cuStreamWaitEvent(third, second_done, 0);
    p.launch(third, p.middle, p.output);
    finish();
}

TEST(What_the_host_waited_for_comes_before_what_it_queues)
{
    Pipeline p;
    p.launch(p.first, p.input, p.middle);
    check_status(cuStreamSynchronize(p.first), "cuStreamSynchronize");
    p.launch(p.second, p.middle, p.output);
    finish();
    p.launch(p.first, p.input, p.middle);
    cuEventRecord(p.done, p.first);
    check_status(cuEventSynchronize(p.done), "cuEventSynchronize");
    p.launch(p.second, p.middle, p.output);
    finish();
}

TEST(The_host_must_wait_before_it_touches_what_a_copy_reads)
{
    Pipeline p;
    void* pinned = nullptr;
    check_status(cuMemHostAlloc(&pinned, Count * 4, 0), "cuMemHostAlloc");
    std::memset(pinned, 0, Count * 4);
    cuMemcpyHtoDAsync_v2(address(p.input), pinned, Count * 4, p.first);
    check(dataflowEmulationHostAccess(pinned, 4, DATAFLOW_EMULATION_WRITE) == 0, "the copy has not run yet");
    check_fails(finish, {"copy from host to device", "host's own access", "nothing orders the two"});
    cuMemcpyHtoDAsync_v2(address(p.input), pinned, Count * 4, p.first);
    finish();
    check(dataflowEmulationHostAccess(pinned, 4, DATAFLOW_EMULATION_WRITE) == 0, "the copy has been waited for");
    cuMemcpyDtoHAsync_v2(pinned, address(p.input), Count * 4, p.second);
    finish();
    cuMemFreeHost(pinned);
}

TEST(A_copy_of_memory_that_is_not_pinned_may_not_have_arrived_when_its_call_returns)
{
    for (uint64_t seed = 0; seed < 20; seed++)
    {
        Pipeline p;
        const std::vector<float> twos(Count, 2.0f);
        dataflowEmulationSeed(seed);
        check_status(cuMemcpyHtoD_v2(address(p.input), twos.data(), Count * 4), "copy");
        p.launch(p.first, p.input, p.middle);
        check_fails(finish, {"copy from host to device", "kernel 'scale'", "nothing orders the two"});

        // The null stream, or all, are waited for; what the source holds by then does not matter.
        std::vector<float> threes(Count, 3.0f);
        check_status(cuMemcpyHtoD_v2(address(p.input), threes.data(), Count * 4), "copy");
        std::fill(threes.begin(), threes.end(), -1.0f);
        check_status(seed % 2 == 0 ? cuStreamSynchronize(nullptr) : cuCtxSynchronize(), "waiting");
        p.launch(p.first, p.input, p.middle);
        finish();
        check(p.middle.host()[9] == 6.0f, "scaled");
    }
}

TEST(A_copy_of_pinned_memory_has_arrived_when_its_call_returns)
{
    Pipeline p;
    void* pinned = nullptr;
    check_status(cuMemHostAlloc(&pinned, Count * 4, 0), "cuMemHostAlloc");
    std::memset(pinned, 0, Count * 4);
    check_status(cuMemcpyHtoD_v2(address(p.input), pinned, Count * 4), "copy");
    p.launch(p.first, p.input, p.middle);
    finish();
    cuMemFreeHost(pinned);
}

TEST(A_change_of_tenant_makes_bytes_unwritten)
{
    Pipeline p;
    dataflowEmulationForget(p.first, address(p.input), 1024);
    p.launch(p.first, p.input, p.middle);
    check_fails(finish, {"reads 16 bytes", "which nothing has written"});
}

TEST(An_operation_of_the_callers_conflicts_by_what_it_says_that_it_touches)
{
    // The launches touch bytes apart; what their operations read and update overlaps.
    Pipeline p;
    const DataflowEmulationRange reads{address(p.input), Count * 4, DATAFLOW_EMULATION_READ, 0};
    const DataflowEmulationRange updates{address(p.input) + Count * 4 - 4, 4, DATAFLOW_EMULATION_READ | DATAFLOW_EMULATION_WRITE, 0};
    dataflowEmulationBegin(p.first, "op 1", &reads, 1);
    p.launch(p.first, p.input, p.middle);
    cuEventRecord(p.done, p.first);
    cuStreamWaitEvent(p.second, p.done, 0);
    dataflowEmulationBegin(p.second, "op 2", &updates, 1);
    finish();
    dataflowEmulationBegin(p.first, "op 1", &reads, 1);
    dataflowEmulationBegin(p.second, "op 2", &updates, 1);
    check_fails(finish, {"start of op ", "nothing orders the two"});
}

TEST(What_an_operation_of_the_callers_overwrites_becomes_unwritten)
{
    Pipeline p;
    const DataflowEmulationRange overwrites{address(p.input), 1024, DATAFLOW_EMULATION_WRITE, 0};
    dataflowEmulationBegin(p.first, "op 1", &overwrites, 1);
    p.launch(p.first, p.input, p.middle);
    check_fails(finish, {"kernel 'scale' of op 1", "reads 16 bytes", "which nothing has written"});
}

TEST(Unwritten_bytes_stay_so_through_copies)
{
    Pipeline p;
    void* pinned = nullptr;
    check_status(cuMemHostAlloc(&pinned, Count * 4, 0), "cuMemHostAlloc");
    cuMemsetD32Async(address(p.middle), 0, Count / 2, p.first);
    cuMemcpyDtoDAsync_v2(address(p.output), address(p.middle), Count * 4, p.first);
    cuMemcpyDtoHAsync_v2(pinned, address(p.output), Count * 4, p.first);
    cuMemcpyHtoDAsync_v2(address(p.input), pinned, Count * 4, p.first);
    finish();
    p.scale.launch(p.first, {1}, {Count / 8}, 0, p.input.device(), p.middle.device(), 0);
    finish();
    p.launch(p.first, p.input, p.middle);
    check_fails(finish, {"+ ", "which nothing has written"});
    cuMemFreeHost(pinned);
}

TEST(The_same_seed_gives_the_same_order_and_others_give_others)
{
    check(order_of(5) == order_of(5), "the same order twice");
    std::map<std::vector<int>, int> orders;
    for (uint64_t seed = 0; seed < 20; seed++)
    {
        const std::vector<int> order = order_of(seed);
        orders[order]++;
        int last[3] = {-1, -1, -1};
        for (int number : order)
        {
            check(number > last[number % 3], "each stream keeps its order");
            last[number % 3] = number;
        }
    }

    check(orders.size() > 15, "20 seeds give " + std::to_string(orders.size()) + " orders");
}

TEST(Events_tell_time_and_queries_make_progress)
{
    Pipeline p;
    TestEvent end;
    cuEventRecord(p.done, p.first);
    p.launch(p.first, p.input, p.middle);
    cuEventRecord(end, p.first);
    constexpr int NotReady = 600;
    int status, queries = 0;
    while ((status = cuEventQuery(end)) == NotReady)
    {
        queries++;
    }

    float milliseconds = -1;
    check(status == 0 && queries < 100 && cuEventElapsedTime(&milliseconds, p.done, end) == 0 && milliseconds >= 0,
        "the event is over at some time");
}
