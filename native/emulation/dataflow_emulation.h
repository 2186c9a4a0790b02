// What the emulation exports beside the driver's functions: for tests, and for the device that wants to be checked more closely.
#pragma once

#include <cstdint>

#pragma GCC visibility push(default)

extern "C"
{
    enum
    {
        DATAFLOW_EMULATION_READ = 1,
        DATAFLOW_EMULATION_WRITE = 2,
    };

    struct DataflowEmulationRange
    {
        uint64_t address;
        uint64_t bytes;
        uint32_t access; // DATAFLOW_EMULATION_READ, _WRITE or both
        uint32_t reserved;
    };

    // The sentence about the first finding since the context was made, or the last error was cleared; empty where there is none. It
    // stays valid until the next call of this function.
    const char* dataflowEmulationLastError();

    // The driver forgets its error and goes on; operations that were queued when it arose are gone.
    void dataflowEmulationClearError();

    // Seeds the choice among legal orders: of streams, of warps and of lanes. The same calls with the same seed run in the same order.
    void dataflowEmulationSeed(uint64_t seed);

    // Operations queued on the stream from now on may touch nothing but these ranges; a negative count lifts it.
    int dataflowEmulationDeclareRanges(void* stream, const DataflowEmulationRange* ranges, int count);

    // Queues the start of an operation of the caller's, which is many launches or one: what it reads, overwrites (write alone) and updates
    // (both). A conflict of these ranges with what is not ordered before is a finding, whether or not a launch touches the very bytes;
    // those that it overwrites become unwritten and poisoned. Lifts what was declared before; what follows on the stream is called by the
    // name too.
    int dataflowEmulationBegin(void* stream, const char* name, const DataflowEmulationRange* ranges, int count);

    // Queues an operation that makes the bytes unwritten and poisons them: their old tenant is gone.
    int dataflowEmulationForget(void* stream, uint64_t address, uint64_t bytes);

    // The host itself reads (1) or writes (2) pinned memory now: a conflict with operations that it has not waited for is a finding.
    int dataflowEmulationHostAccess(const void* address, uint64_t bytes, int access);

    // Options by name, as in the environment variable DATAFLOW_EMULATION: see the README. 0, or 1 for an unknown name.
    int dataflowEmulationSet(const char* option, int64_t value);

    // Bytes the device memory of this process takes, operations executed so far, and the like: see the README. -1 for an unknown name.
    int64_t dataflowEmulationGet(const char* figure);
}

#pragma GCC visibility pop
