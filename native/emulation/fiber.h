// Fibers: stacks, and the switch from one to another. A switch saves what a callee must preserve and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace emulation
{

// Leaves the running fiber, whose stack pointer goes to `*from`, for the one whose stack pointer is `to`.
extern "C" void emulation_switch(void** from, void* to);

class FiberStacks
{
public:
    // `entry` runs on each new stack and must never return.
    explicit FiberStacks(void (*entry)());
    ~FiberStacks();
    FiberStacks(const FiberStacks&) = delete;
    FiberStacks& operator=(const FiberStacks&) = delete;

    static constexpr uint32_t Count = 1024;

    // Takes a stack out of the free ones.
    uint32_t take() { return _free[--_free_count]; }

    void give(uint32_t stack) { _free[_free_count++] = stack; }

    // All stacks are free again: fibers on them are abandoned.
    void reset();

    // The stack pointer of a fiber that will start at `entry`.
    void* fresh(uint32_t stack) const;

    // Whether a fiber wrote beyond its stack's end.
    bool overflowed(uint32_t stack) const;

    const char* begin() const { return _memory; }
    const char* end() const { return _memory + _bytes; }

private:
    // Not a multiple of 4 KiB, so that the tops of stacks do not all fall into the same lines of the cache.
    static constexpr size_t Stride = 64 * 1024 + 320;

    void (*_entry)();
    size_t _bytes;
    char* _memory;
    uint32_t _free[Count];
    uint32_t _free_count = 0;
};

} // namespace emulation
