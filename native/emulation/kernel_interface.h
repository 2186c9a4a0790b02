// What a kernel compiled by g++ and the emulation library know of each other: calls from the kernel into the library, and the
// descriptor by which the library finds and calls a kernel. Everything has C linkage; values travel in registers, so that a
// kernel's own variables need not live in memory.
#pragma once

#include <cstdint>

typedef float EmulationFloat4 __attribute__((vector_size(16)));
typedef unsigned EmulationUint4 __attribute__((vector_size(16)));

#pragma GCC visibility push(default)

extern "C"
{
    // The indices of the running thread; kernels read them by assembly, which is not instrumented.
    struct EmulationIndices
    {
        uint32_t thread[4];
        uint32_t block[4];
        uint32_t block_size[4];
        uint32_t grid[4];
        unsigned char* dynamic_shared;
    };

    extern EmulationIndices emulation_indices;

    enum EmulationShuffle
    {
        EmulationShuffleXor,
        EmulationShuffleDown,
        EmulationShuffleIndex,
    };

    void emulation_block_barrier();
    void emulation_warp_barrier();
    uint64_t emulation_shuffle(uint64_t bits, EmulationShuffle kind, int argument);
    EmulationUint4 emulation_load_matrix(const void* shared_row, bool transposed);
    EmulationFloat4 emulation_mma(EmulationFloat4 d, EmulationUint4 a, uint32_t b0, uint32_t b1);
    void emulation_copy_async(void* shared, const void* global, uint32_t bytes, bool valid);
    void emulation_copy_async_commit();
    void emulation_copy_async_wait(uint32_t pending);
    uint32_t emulation_shared_address(const void* pointer);

    uint32_t emulation_atomic_add32(uint32_t* address, uint32_t value);
    uint64_t emulation_atomic_add64(uint64_t* address, uint64_t value);

    // The word plus one, or 0 where it is `last`; what it was.
    uint32_t emulation_draw_ticket(uint32_t* counter, uint32_t last);

    // Earlier blocks have ended, so that a wait is either over at once or never.
    void emulation_wait_for(const uint32_t* address, uint32_t value);
    void emulation_store_release(uint32_t* address, uint32_t value);

    struct EmulationKernel
    {
        const char* name;
        void (*call)(void** parameters);
        uint32_t parameters;
        const uint32_t* sizes; // of each parameter, in bytes
        char* shared_begin;    // static shared memory of the whole file
        char* shared_end;
        // Where the kernel starts, and where the bytes before it and its neighbours do, of which there is one for each thread that a
        // block may have.
        uintptr_t entry;
        const uintptr_t* bounds_begin;
        const uintptr_t* bounds_end;
    };
}

#pragma GCC visibility pop
