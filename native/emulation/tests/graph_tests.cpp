// Stream capture and graphs.
#include <thread>

#include "driver_api.h"
#include "run_kernel.h"
#include "test.h"

using emulation::Array;
using emulation::check_status;
using emulation::Kernel;

namespace
{

constexpr uint32_t Count = 256;
constexpr int ThreadLocal = 1;
constexpr int Relaxed = 2;

enum Status
{
    Unsupported = 900,
    Invalidated = 901,
    Merge = 902,
    Unmatched = 903,
    Unjoined = 904,
    Isolation = 905,
    Implicit = 906,
    OfCapturedEvent = 907,
    WrongThread = 908,
};

// Input twice scaled, by two streams.
struct Pipeline
{
    Array<float> input{std::vector<float>(Count, 1.0f)};
    Array<float> middle{Count};
    Array<float> output{Count};
    Kernel scale{kernel_file("faults"), "scale"};
    TestStream first, second;
    TestEvent fork, halfway, joined;
    void* graph = nullptr;
    void* exec = nullptr;

    ~Pipeline()
    {
        cuGraphExecDestroy(exec);
        cuGraphDestroy(graph);
    }

    void launch(void* stream, const Array<float>& from, const Array<float>& to) const
    {
        scale.launch(stream, {1}, {Count / 4}, 0, from.device(), to.device(), 0);
    }

    void begin(int mode = ThreadLocal) { check_status(cuStreamBeginCapture_v2(first, mode), "cuStreamBeginCapture"); }

    int end() { return cuStreamEndCapture(first, &graph); }

    void capture(bool waits = true)
    {
        begin();
        check_status(cuEventRecord(fork, first), "cuEventRecord");
        check_status(cuStreamWaitEvent(second, fork, 0), "cuStreamWaitEvent");
        launch(first, input, middle);
        check_status(cuEventRecord(halfway, first), "cuEventRecord");
        if (waits)
        {
            check_status(cuStreamWaitEvent(second, halfway, 0), "cuStreamWaitEvent");
        }

        launch(second, middle, output);
        check_status(cuEventRecord(joined, second), "cuEventRecord");
        check_status(cuStreamWaitEvent(first, joined, 0), "cuStreamWaitEvent");
        check_status(end(), "cuStreamEndCapture");
        check_status(cuGraphInstantiateWithFlags(&exec, graph, 0), "cuGraphInstantiateWithFlags");
    }
};

DeviceAddress address(const Array<float>& array) { return reinterpret_cast<DeviceAddress>(array.device()); }

int finish() { return cuCtxSynchronize(); }

} // namespace

TEST(What_is_captured_runs_when_its_graph_is_launched_each_time)
{
    for (uint64_t seed = 0; seed < 10; seed++)
    {
        Pipeline p;
        dataflowEmulationSeed(seed);
        const int64_t before = dataflowEmulationGet("kernels");
        p.capture();
        check_status(finish(), "cuCtxSynchronize");
        check(dataflowEmulationGet("kernels") == before, "nothing runs while it is captured");
        check_status(cuGraphLaunch(p.exec, p.first), "cuGraphLaunch");
        check_status(finish(), "cuCtxSynchronize");
        check(p.output.host()[9] == 4.0f, "twice scaled");

        // The same addresses, with what is there now; on another stream, behind the first launch.
        const std::vector<float> threes(Count, 3.0f);
        check_status(cuMemsetD32Async(address(p.input), 0x40400000, Count, p.first), "cuMemsetD32Async");
        check_status(cuGraphLaunch(p.exec, p.first), "cuGraphLaunch");
        check_status(cuGraphLaunch(p.exec, p.second), "cuGraphLaunch");
        check_status(cuStreamSynchronize(p.second), "cuStreamSynchronize");
        check(p.output.host()[9] == 12.0f, "twice scaled again");
        check(dataflowEmulationGet("kernels") == before + 6, "two kernels a launch");
    }
}

TEST(A_missing_wait_within_a_graph_is_found_whatever_the_order)
{
    for (uint64_t seed = 0; seed < 20; seed++)
    {
        Pipeline p;
        std::vector<float> zeros(Count);
        check_status(cuMemcpyHtoD_v2(address(p.middle), zeros.data(), Count * 4), "copy"); // so that it is no unwritten memory
        check_status(cuStreamSynchronize(nullptr), "cuStreamSynchronize");
        dataflowEmulationSeed(seed);
        p.capture(false);
        check_status(cuGraphLaunch(p.exec, p.first), "cuGraphLaunch");
        check(finish() != 0, "a conflict is reported");
        dataflowEmulationClearError();
    }
}

TEST(A_capture_that_does_what_none_may_gives_no_graph)
{
    const auto spoil = [](int expected, auto call, int at_end = Invalidated, int mode = ThreadLocal) {
        Pipeline p;
        check_status(cuEventRecord(p.halfway, p.second), "cuEventRecord"); // not captured
        p.begin(mode);
        p.launch(p.first, p.input, p.middle);
        const int status = call(p);
        check(status == expected, "the call is answered with " + std::to_string(status));
        const int end = p.end();
        check(end == at_end, "the capture ends with " + std::to_string(end));
        check((p.graph == nullptr) == (at_end != 0), "a graph comes of a capture that is whole");
        check_status(finish(), "cuCtxSynchronize");
    };
    spoil(Unsupported, [](Pipeline& p) { return cuStreamSynchronize(p.first); });
    spoil(Unsupported, [](Pipeline& p) { return cuStreamQuery(p.first); });
    spoil(Unsupported, [](Pipeline&) { return cuCtxSynchronize(); });
    spoil(Unsupported, [](Pipeline&) { DeviceAddress made; return cuMemAlloc_v2(&made, 16); });
    spoil(Unsupported, [](Pipeline&) { void* made; return cuModuleLoad(&made, kernel_file("faults").c_str()); });
    spoil(Unsupported, [](Pipeline& p) { float one = 1; return cuMemcpyHtoDAsync_v2(address(p.middle), &one, 4, p.first); });
    spoil(Isolation, [](Pipeline& p) { return cuStreamWaitEvent(p.first, p.halfway, 0); });
    spoil(OfCapturedEvent, [](Pipeline& p) { cuEventRecord(p.fork, p.first); return cuEventQuery(p.fork); });
    spoil(Implicit, [](Pipeline& p) { cuEventRecord(p.fork, p.first); return cuStreamWaitEvent(nullptr, p.fork, 0); });
    spoil(0, [](Pipeline& p) {
        cuEventRecord(p.fork, p.first);
        cuStreamWaitEvent(p.second, p.fork, 0);
        p.launch(p.second, p.middle, p.output);
        return 0;
    }, Unjoined);

    // Waiting elsewhere is no harm, and a relaxed capture forbids nothing but what it cannot hold.
    spoil(0, [](Pipeline& p) { return cuStreamSynchronize(p.second); }, 0);
    spoil(0, [](Pipeline&) { DeviceAddress made; return cuMemAlloc_v2(&made, 16) + cuMemFree_v2(made); }, 0, Relaxed);
}

TEST(A_capture_ends_where_it_began)
{
    Pipeline p;
    TestEvent later;
    p.begin();
    check(cuStreamBeginCapture_v2(p.first, ThreadLocal) == 1, "one capture at a time");
    check(cuStreamBeginCapture_v2(nullptr, ThreadLocal) == Unsupported, "the null stream is never captured");
    cuEventRecord(p.fork, p.first);
    cuStreamWaitEvent(p.second, p.fork, 0);
    check(cuStreamEndCapture(p.second, &p.graph) == Unmatched, "on the other stream");
    int elsewhere = 0;
    void* context = nullptr;
    cuDevicePrimaryCtxRetain(&context, 0);
    std::thread([&] {
        cuCtxSetCurrent(context);
        elsewhere = p.end();
    }).join();
    cuDevicePrimaryCtxRelease_v2(0);
    check(elsewhere == WrongThread, "on another thread");
    check_status(p.end(), "cuStreamEndCapture");

    // Its events are of no use outside, until they are recorded there.
    check(cuStreamWaitEvent(p.second, p.fork, 0) == Isolation, "an event of a capture that is over");
    check_status(cuEventRecord(p.fork, p.first), "cuEventRecord");
    check_status(cuStreamWaitEvent(p.second, p.fork, 0), "cuStreamWaitEvent");

    check_status(cuStreamBeginCapture_v2(p.first, ThreadLocal), "cuStreamBeginCapture");
    check_status(cuStreamBeginCapture_v2(p.second, ThreadLocal), "cuStreamBeginCapture");
    cuEventRecord(later, p.first);
    check(cuStreamWaitEvent(p.second, later, 0) == Merge, "two captures");
    void* none = nullptr;
    check(cuStreamEndCapture(p.second, &none) == Invalidated && p.end() == Invalidated, "both are lost");
}
