#include "fiber.h"

#include <cstdlib>
#include <new>
#include <sys/mman.h>

// The six registers that a callee preserves; the return address is where the fiber goes on.
asm(R"(
    .text
    .globl emulation_switch
    .hidden emulation_switch
    .type emulation_switch, @function
emulation_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size emulation_switch, .-emulation_switch
)");

namespace emulation
{

namespace
{
constexpr uint64_t Canary = 0x5ca1ab1e0ddba115;
}

FiberStacks::FiberStacks(void (*entry)()) : _entry(entry), _bytes(Count * Stride)
{
    void* memory = mmap(nullptr, _bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
    {
        throw std::bad_alloc();
    }

    _memory = static_cast<char*>(memory);
    reset();
}

FiberStacks::~FiberStacks() { munmap(_memory, _bytes); }

void FiberStacks::reset()
{
    for (uint32_t i = 0; i < Count; i++)
    {
        _free[i] = Count - 1 - i;
    }

    _free_count = Count;
}

void* FiberStacks::fresh(uint32_t stack) const
{
    char* bottom = _memory + stack * Stride;
    *reinterpret_cast<uint64_t*>(bottom) = Canary;
    // Behind the return address stands an empty one, so that the entry finds the stack aligned as after a call.
    auto top = reinterpret_cast<void**>(bottom + Stride - 64);
    top[0] = reinterpret_cast<void*>(_entry);
    top[1] = nullptr;
    for (int i = 1; i <= 6; i++)
    {
        top[-i] = nullptr;
    }

    return top - 6;
}

bool FiberStacks::overflowed(uint32_t stack) const { return *reinterpret_cast<const uint64_t*>(_memory + stack * Stride) != Canary; }

} // namespace emulation
