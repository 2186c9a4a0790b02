// Runs the blocks of a launch, one after the other in the order of their linear index (x fastest), each to its end. The threads of
// a block are fibers. Between two block barriers warps run in a random order, and between two warp operations the lanes of a warp
// do: a kernel whose result depends on the order is wrong, and a seed finds it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "access_state.h"
#include "fault.h"
#include "fiber.h"
#include "kernel_interface.h"
#include "random.h"

namespace emulation
{

struct Launch
{
    const EmulationKernel* kernel;
    void** parameters;
    uint32_t grid[3];
    uint32_t block[3];
    uint32_t dynamic_shared_bytes;
};

enum class WarpOperation : uint8_t
{
    None,
    Barrier,
    ShuffleXor,
    ShuffleDown,
    ShuffleIndex,
    LoadMatrix,
    LoadMatrixTransposed,
    MatrixProduct,
};

// What a lane brings to a warp operation and takes from it.
struct WarpArgument
{
    union
    {
        uint64_t bits;
        const void* row;
        EmulationUint4 a;
    };
    union
    {
        int argument;
        uint32_t b[2];
        EmulationUint4 result;
    };
    EmulationFloat4 d;
};

struct AsyncCopy
{
    void* shared;
    const void* global;
    uint32_t bytes;
    bool valid;
    uint32_t group;
};

enum class ThreadState : uint8_t
{
    Unstarted,
    Runnable,
    AtWarpOperation,
    AtBlockBarrier,
    Finished,
};

struct Thread
{
    void* stack_pointer;
    WarpArgument* argument;
    uint32_t stack;
    uint32_t index[3];
    uint32_t linear;
    ThreadState state;
    WarpOperation operation;
    uint32_t committed; // groups of asynchronous copies
    std::vector<AsyncCopy> copies;
};

class BlockRuntime
{
public:
    static constexpr uint32_t MaxThreads = 1024;
    static constexpr uint32_t MaxDynamicShared = 227 * 1024;
    static constexpr uint32_t WarpSize = 32;

    // One launch runs at a time: kernels are called by the thread that holds the driver.
    static BlockRuntime& instance() { return *s_instance; }

    // Throws a Fault that names kernel, block and threads.
    void run(const Launch& launch, uint64_t seed);

    // Called by kernels, on a fiber.
    void block_barrier();
    void warp_operation(WarpOperation operation, WarpArgument& argument);
    // Ends the launch; `what` follows the thread's position: ` reads ...`.
    [[noreturn]] void fail(FaultKind kind, const std::string& what);

    Thread& current() { return *_current; }
private:
    BlockRuntime();
    ~BlockRuntime() = delete; // lives as long as the process

    static BlockRuntime* const s_instance;

    static void fiber_main();
    void run_block();
    void run_warp(uint32_t warp);
    void release_block();
    Thread* next_lane();
    void leave_for(Thread* next);
    void switch_to(Thread& thread, void** from);
    [[noreturn]] void return_to_scheduler();
    void prepare_threads();
    void poison_shared();
    void set_current(Thread& thread);
    void mixed_states(uint32_t first, uint32_t count, const char* place);
    std::string name(const Thread& thread) const;

    FiberStacks _stacks;
    std::vector<Thread> _threads;
    unsigned char* _dynamic_shared;
    const Launch* _launch = nullptr;
    uint32_t _block[3] = {0, 0, 0}; // for which the threads' indices were made
    std::vector<uint32_t> _warp_intervals;
    Epoch _interval_first = 0;
    Random _random{0};
    Thread* _current = nullptr;
    void* _scheduler = nullptr;
    std::string _failure;
    FaultKind _failure_kind = FaultKind::LaunchFailed;
    uint32_t _thread_count = 0;
    // The running warp: its lanes run in the order `_base ^ (i * _factor % 32)`.
    uint32_t _warp_first = 0;
    uint32_t _warp_count = 0;
    uint32_t _warp_arrived = 0;
    uint32_t _base = 0;
    uint32_t _factor = 1;
    uint32_t _step = 0;
};

} // namespace emulation
