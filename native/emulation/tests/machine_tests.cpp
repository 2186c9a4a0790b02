// The machine as options make it: memory, pinning, other processes, limits of launches, modules.
#include <cstdio>
#include <fstream>
#include <iterator>

#include "driver_api.h"
#include "run_kernel.h"
#include "test.h"

using namespace emulation;

namespace
{

constexpr int InvalidValue = 1, OutOfMemory = 2, NoDevice = 100, InvalidContext = 201, NotFound = 500, AlreadyRegistered = 712;

// Sets an option for as long as it lives.
class With
{
public:
    With(const char* option, int64_t value, int64_t otherwise) : _option(option), _otherwise(otherwise)
    {
        use_device();
        check(dataflowEmulationSet(option, value) == 0, option);
    }

    ~With() { dataflowEmulationSet(_option, _otherwise); }

private:
    const char* _option;
    int64_t _otherwise;
};

int allocate(size_t bytes)
{
    DeviceAddress made;
    const int status = cuMemAlloc_v2(&made, bytes);
    return status != 0 ? status : cuMemFree_v2(made);
}

} // namespace

TEST(A_machine_may_have_no_device)
{
    {
        With none("device_count", 0, 1);
        check(cuInit(0) == NoDevice, "cuInit says so");
    }

    check(cuInit(0) == 0, "and with one it does not");
}

TEST(Memory_is_as_large_as_the_option_says_and_NVML_agrees)
{
    With total("total_memory", 1 << 30, 24ll << 30), others("others_memory", 100 << 20, 0), context("context_memory", 300 << 20, 300 << 20);
    size_t free = 0, whole = 0;
    check(cuMemGetInfo_v2(&free, &whole) == 0 && whole == 1 << 30, "the whole");
    check(allocate(free) == 0 && allocate(free + 1) == OutOfMemory, "what is free can be had, and no more");
    void* device = nullptr;
    unsigned long long memory[3];
    check(nvmlInit_v2() == 0 && nvmlDeviceGetHandleByPciBusId_v2("00000000:00:00.0", &device) == 0 &&
              nvmlDeviceGetMemoryInfo(device, memory) == 0,
        "NVML");
    check(memory[0] == whole && memory[1] == free && memory[2] == whole - free, "NVML's figures are the driver's");
    unsigned count = 0;
    check(nvmlDeviceGetComputeRunningProcesses_v3(device, &count, nullptr) != 0 && count == 2, "two processes");
    nvmlShutdown();
}

TEST(Another_process_may_take_memory_while_this_one_runs)
{
    With growth("others_growth", 1 << 20, 0), others("others_memory", 0, 0);
    Array<float> x(std::vector<float>(16));
    size_t before = 0, after = 0, whole = 0;
    cuMemGetInfo_v2(&before, &whole);
    for (int i = 0; i < 5; i++)
    {
        cuMemsetD32Async(reinterpret_cast<DeviceAddress>(x.device()), 0, 16, nullptr);
    }

    check_status(cuCtxSynchronize(), "cuCtxSynchronize");
    cuMemGetInfo_v2(&after, &whole);
    check(before - after == 5 << 20, "1 MiB with each operation");
}

TEST(Pinning_has_a_limit_and_may_fail)
{
    std::vector<char> memory(1 << 16);
    void* pinned = nullptr;
    {
        With limit("pinned_limit", 1 << 16, INT64_MAX);
        check(cuMemHostRegister_v2(memory.data(), memory.size(), 0) == 0, "up to the limit");
        check(cuMemHostRegister_v2(memory.data() + 16, 16, 0) == AlreadyRegistered, "twice");
        check(cuMemHostAlloc(&pinned, 4096, 0) == OutOfMemory, "beyond the limit");
        check(cuMemHostUnregister(memory.data()) == 0 && cuMemHostUnregister(memory.data()) != 0, "once");
        check(cuMemHostAlloc(&pinned, 4096, 0) == 0 && cuMemFreeHost(pinned) == 0, "within the limit again");
    }

    With refused("host_registration", 0, 1);
    check(cuMemHostRegister_v2(memory.data(), memory.size(), 0) == OutOfMemory, "refused");
}

TEST(Launches_beyond_the_limits_are_refused)
{
    Array<float> x(std::vector<float>(16)), y(16);
    const Kernel scale(kernel_file("faults"), "scale");
    check_fails([&] { scale.run({1}, {1025}, 0, x.device(), y.device(), 0); }, {"invalid argument"});
    check_fails([&] { scale.run({1}, {32, 32, 2}, 0, x.device(), y.device(), 0); }, {"invalid argument"});
    check_fails([&] { scale.run({0}, {32}, 0, x.device(), y.device(), 0); }, {"invalid argument"});
    check_fails([&] { scale.run({1, 65536}, {32}, 0, x.device(), y.device(), 0); }, {"invalid argument"});
    check_fails([&] { scale.run({1}, {32}, 227 * 1024 + 1, x.device(), y.device(), 0); }, {"invalid argument"});
    check_fails([&] { scale.run({1}, {32}, 0, x.device(), y.device()); }, {"more than 2 parameters"});
    check_fails([&] { scale.run({1}, {32}, 0, x.device(), y.device(), int64_t{0}); }, {"Argument 3"});
    check_fails([&] { Kernel(kernel_file("faults"), "no_such_kernel"); }, {"no_such_kernel", "not found"});
    check_fails([&] { Kernel(kernel_file("no_such_file"), "scale"); }, {"file not found"});
}

TEST(Blocks_are_no_larger_than_launch_bounds_say)
{
    Array<float> y(1024);
    for (uint32_t threads : {32u, 96u, 1024u})
    {
        const Kernel kernel(kernel_file("faults"), "bounded_" + std::to_string(threads));
        kernel.run({1}, {threads}, 0, y.device());
        check_fails([&] { kernel.run({1}, {threads + 1}, 0, y.device()); }, {"invalid argument"});
    }
}

TEST(A_module_may_come_from_memory)
{
    use_device();
    std::ifstream file(kernel_file("faults"), std::ios::binary);
    const std::vector<char> image{std::istreambuf_iterator<char>(file), {}};
    void *module = nullptr, *function = nullptr;
    check(cuModuleLoadData(&module, image.data()) == 0 && cuModuleGetFunction(&function, module, "scale") == 0, "loaded");
    check(cuModuleGetFunction(&function, module, "scales") == NotFound, "no such kernel");
    check(cuModuleLoadData(&module, ".version 8.0") != 0, "PTX is no image of the emulation");
}

TEST(After_an_error_the_context_is_of_no_use_until_it_is_cleared)
{
    Array<float> x(16), y(16);
    const Kernel scale(kernel_file("faults"), "scale");
    scale.launch(nullptr, {1}, {4}, 0, x.device(), y.device(), 0);
    check(cuCtxSynchronize() != 0 && cuCtxSynchronize() != 0 && allocate(16) != 0, "every call says so");
    check(std::string(dataflowEmulationLastError()).find("kernel 'scale'") != std::string::npos, "the finding stays");
    dataflowEmulationClearError();
    check(cuCtxSynchronize() == 0 && std::string(dataflowEmulationLastError()).empty(), "cleared");
}

TEST(A_call_without_a_context_is_refused)
{
    use_device();
    cuCtxSetCurrent(nullptr);
    check(allocate(16) == InvalidContext, "none is current");
    use_device();
    check(allocate(16) == 0 && allocate(0) == InvalidValue, "one is");
}

TEST(Figures_say_what_is_alive)
{
    use_device();
    const int64_t before = dataflowEmulationGet("device_bytes");
    {
        Array<float> x(std::vector<float>(1000));
        check(dataflowEmulationGet("device_bytes") == before + 4000, "an array more");
    }

    check(dataflowEmulationGet("device_bytes") == before && dataflowEmulationGet("no_such_figure") == -1, "and gone");
}
