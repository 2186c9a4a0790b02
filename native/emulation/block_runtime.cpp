#include "block_runtime.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "access_hooks.h"
#include "async_copies.h"
#include "block_handover.h"
#include "operation_order.h"
#include "shared_shadow.h"
#include "warp_operations.h"

EmulationIndices emulation_indices;

namespace emulation
{

namespace
{

std::string triple(const uint32_t* v)
{
    return "(" + std::to_string(v[0]) + "," + std::to_string(v[1]) + "," + std::to_string(v[2]) + ")";
}

} // namespace

BlockRuntime* const BlockRuntime::s_instance = new BlockRuntime();

BlockRuntime::BlockRuntime()
    : _stacks(fiber_main), _threads(MaxThreads), _dynamic_shared(static_cast<unsigned char*>(std::aligned_alloc(4096, 228 * 1024))),
      _warp_intervals(MaxThreads / WarpSize)
{
    emulation_indices.dynamic_shared = _dynamic_shared;
    access_state.stacks_begin = reinterpret_cast<uintptr_t>(_stacks.begin());
    access_state.stacks_bytes = static_cast<size_t>(_stacks.end() - _stacks.begin());
}

void BlockRuntime::run(const Launch& launch, uint64_t seed)
{
    _launch = &launch;
    _random = Random(seed);
    _failure.clear();
    _thread_count = launch.block[0] * launch.block[1] * launch.block[2];
    prepare_threads();
    block_handover.start_launch();
    access_state.doubt = false;
    const EmulationKernel& kernel = *launch.kernel;
    shared_shadow.dynamic.set(reinterpret_cast<uintptr_t>(_dynamic_shared), launch.dynamic_shared_bytes);
    shared_shadow.fixed.set(reinterpret_cast<uintptr_t>(kernel.shared_begin), static_cast<size_t>(kernel.shared_end - kernel.shared_begin));
    std::memcpy(emulation_indices.block_size, launch.block, sizeof(launch.block));
    std::memcpy(emulation_indices.grid, launch.grid, sizeof(launch.grid));
    uint32_t* block = emulation_indices.block;
    for (block[2] = 0; block[2] < launch.grid[2]; block[2]++)
    {
        for (block[1] = 0; block[1] < launch.grid[1]; block[1]++)
        {
            for (block[0] = 0; block[0] < launch.grid[0]; block[0]++)
            {
                run_block();
                if (!_failure.empty())
                {
                    _stacks.reset();
                    throw Fault(_failure_kind, _failure);
                }
            }
        }
    }
}

void BlockRuntime::prepare_threads()
{
    if (std::memcmp(_block, _launch->block, sizeof(_block)) == 0)
    {
        return;
    }

    std::memcpy(_block, _launch->block, sizeof(_block));
    for (uint32_t i = 0; i < _thread_count; i++)
    {
        Thread& thread = _threads[i];
        thread.linear = i;
        thread.index[0] = i % _block[0];
        thread.index[1] = i / _block[0] % _block[1];
        thread.index[2] = i / _block[0] / _block[1];
    }
}

void BlockRuntime::run_block()
{
    poison_shared();
    block_handover.start_block();
    access_state.block_first = _interval_first = operation_order.new_interval();
    for (uint32_t i = 0; i < _thread_count; i++)
    {
        Thread& thread = _threads[i];
        thread.state = ThreadState::Unstarted;
        thread.committed = 0;
        thread.copies.clear();
    }

    std::fill(_warp_intervals.begin(), _warp_intervals.end(), 0);
    const uint32_t warps = (_thread_count + WarpSize - 1) / WarpSize;
    while (true)
    {
        // An odd stride from a random start visits each of a power of two once; the rest is skipped.
        uint32_t slots = 1;
        while (slots < warps)
        {
            slots *= 2;
        }

        const uint32_t start = _random.below(slots);
        const uint32_t stride = 2 * _random.below(slots) + 1;
        for (uint32_t i = 0; i < slots; i++)
        {
            const uint32_t warp = (start + i * stride) % slots;
            if (warp < warps)
            {
                run_warp(warp);
                if (!_failure.empty())
                {
                    return;
                }
            }
        }

        if (_threads[0].state == ThreadState::Finished)
        {
            mixed_states(0, _thread_count, "ended while others of the block wait at a block barrier");
            return;
        }

        mixed_states(0, _thread_count, "wait at a block barrier while others of the block have ended");
        if (!_failure.empty())
        {
            return;
        }

        release_block();
    }
}

void BlockRuntime::release_block()
{
    for (uint32_t i = 0; i < _thread_count; i++)
    {
        _threads[i].state = ThreadState::Runnable;
    }

    _interval_first = operation_order.new_interval();
    std::fill(_warp_intervals.begin(), _warp_intervals.end(), 0);
}

void BlockRuntime::run_warp(uint32_t warp)
{
    _warp_first = warp * WarpSize;
    _warp_count = std::min(WarpSize, _thread_count - _warp_first);
    _warp_arrived = 0;
    const uint32_t random = static_cast<uint32_t>(_random.next() >> 32);
    _base = random % WarpSize;
    _factor = random >> 8 | 1;
    _step = 0;
    Thread* first = next_lane();
    switch_to(*first, &_scheduler);
    _current = nullptr;
    if (_failure.empty() && _warp_arrived > 0)
    {
        mixed_states(_warp_first, _warp_count, "wait at a warp operation that others of the warp do not reach");
    }
}

// The next lane of the running warp that can go on in this phase; null when all have had their turn.
Thread* BlockRuntime::next_lane()
{
    while (_step < WarpSize)
    {
        const uint32_t lane = _base ^ (_step * _factor % WarpSize);
        _step++;
        if (lane < _warp_count)
        {
            Thread& thread = _threads[_warp_first + lane];
            if (thread.state <= ThreadState::Runnable)
            {
                return &thread;
            }
        }
    }

    return nullptr;
}

void BlockRuntime::switch_to(Thread& thread, void** from)
{
    if (thread.state == ThreadState::Unstarted)
    {
        thread.stack = _stacks.take();
        thread.stack_pointer = _stacks.fresh(thread.stack);
        thread.state = ThreadState::Runnable;
    }

    set_current(thread);
    emulation_switch(from, thread.stack_pointer);
}

void BlockRuntime::set_current(Thread& thread)
{
    _current = &thread;
    std::memcpy(emulation_indices.thread, thread.index, sizeof(thread.index));
    access_state.now = _interval_first | static_cast<Epoch>(_warp_intervals[thread.linear / WarpSize]) << WarpIntervalShift |
        static_cast<Epoch>(thread.linear) << ThreadShift;
}

// Goes on with another lane, or with the scheduler where there is none; comes back when this thread may run again.
void BlockRuntime::leave_for(Thread* next)
{
    Thread& thread = *_current;
    if (next != nullptr)
    {
        switch_to(*next, &thread.stack_pointer);
    }
    else
    {
        emulation_switch(&thread.stack_pointer, _scheduler);
    }
}

void BlockRuntime::return_to_scheduler()
{
    void* abandoned;
    emulation_switch(&abandoned, _scheduler);
    std::abort();
}

void BlockRuntime::fiber_main()
{
    BlockRuntime& runtime = instance();
    while (true)
    {
        runtime._launch->kernel->call(runtime._launch->parameters);
        Thread& thread = *runtime._current;
        if (runtime._stacks.overflowed(thread.stack))
        {
            runtime.fail(FaultKind::LaunchFailed, " uses more stack than a fiber has.");
        }

        complete_copies(thread, 0, CopiesOf::EndOfThread);
        settle_accesses();
        thread.state = ThreadState::Finished;
        Thread* next = runtime.next_lane();
        if (next != nullptr && next->state == ThreadState::Unstarted)
        {
            // It starts where this one ended, without a switch.
            next->stack = thread.stack;
            next->state = ThreadState::Runnable;
            runtime.set_current(*next);
            continue;
        }

        runtime._stacks.give(thread.stack);
        if (next == nullptr)
        {
            runtime.return_to_scheduler();
        }

        void* abandoned;
        runtime.switch_to(*next, &abandoned);
    }
}

void BlockRuntime::block_barrier()
{
    settle_accesses();
    _current->state = ThreadState::AtBlockBarrier;
    leave_for(next_lane());
}

void BlockRuntime::warp_operation(WarpOperation operation, WarpArgument& argument)
{
    settle_accesses();
    Thread& thread = *_current;
    thread.operation = operation;
    thread.argument = &argument;
    if (++_warp_arrived < _warp_count)
    {
        thread.state = ThreadState::AtWarpOperation;
        leave_for(next_lane());
        return;
    }

    Thread* lanes = &_threads[_warp_first];
    for (uint32_t i = 0; i < _warp_count; i++)
    {
        if (lanes[i].operation != operation)
        {
            fail(FaultKind::LaunchFailed, std::string(" is at a warp operation of another kind (") + warp_operation_name(operation) +
                                              ") than " + name(lanes[i]) + " (" + warp_operation_name(lanes[i].operation) + ").");
        }

        lanes[i].state = ThreadState::Runnable;
    }

    if (_warp_count < WarpSize && operation != WarpOperation::Barrier)
    {
        fail(FaultKind::LaunchFailed, " is at a warp operation in a warp of " + std::to_string(_warp_count) +
            " threads: blocks that use them need a multiple of 32.");
    }

    perform_warp_operation(operation, lanes);
    uint32_t& interval = _warp_intervals[_warp_first / WarpSize];
    if (operation == WarpOperation::Barrier && interval < MaxWarpIntervals)
    {
        interval++;
        set_current(thread);
    }

    // This lane goes on first, the others follow in a new order.
    _warp_arrived = 0;
    _base = thread.linear % WarpSize;
    _factor = static_cast<uint32_t>(_random.next() >> 32) | 1;
    _step = 1;
}

void BlockRuntime::fail(FaultKind kind, const std::string& what)
{
    _failure_kind = kind;
    _failure = "In " + operation_order.describe(operation_order.running().first) + ", block " +
        triple(emulation_indices.block) + ", " + name(*_current) + what;
    return_to_scheduler();
}

// Sets the failure where threads of a range are in different states.
void BlockRuntime::mixed_states(uint32_t first, uint32_t count, const char* place)
{
    const ThreadState expected = count == _thread_count ? _threads[first].state : ThreadState::AtWarpOperation;
    uint32_t alike = 0;
    const Thread* like = nullptr;
    const Thread* unlike = nullptr;
    for (uint32_t i = first; i < first + count; i++)
    {
        const bool same = _threads[i].state == expected;
        alike += same;
        like = same && like == nullptr ? &_threads[i] : like;
        unlike = !same && unlike == nullptr ? &_threads[i] : unlike;
    }

    if (unlike != nullptr)
    {
        _failure_kind = FaultKind::LaunchFailed;
        _failure = "In " + operation_order.describe(operation_order.running().first) + ", block " +
            triple(emulation_indices.block) + ", " + std::to_string(alike) +
            " of " + std::to_string(count) + " threads (" + name(*like) + " first) " + place + " (" + name(*unlike) + " first).";
    }
}

std::string BlockRuntime::name(const Thread& thread) const { return "thread " + triple(thread.index); }

void BlockRuntime::poison_shared()
{
    std::memset(_dynamic_shared, 0xff, _launch->dynamic_shared_bytes);
    std::memset(_launch->kernel->shared_begin, 0xff, _launch->kernel->shared_end - _launch->kernel->shared_begin);
}

} // namespace emulation
