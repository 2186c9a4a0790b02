// The calls that kernels make, but for those about asynchronous copies.
#include "kernel_interface.h"

#include <cstring>

#include "access_hooks.h"
#include "block_runtime.h"
#include "shared_shadow.h"

using namespace emulation;

void emulation_block_barrier() { BlockRuntime::instance().block_barrier(); }

void emulation_warp_barrier()
{
    WarpArgument argument;
    BlockRuntime::instance().warp_operation(WarpOperation::Barrier, argument);
}

uint64_t emulation_shuffle(uint64_t bits, EmulationShuffle kind, int argument)
{
    WarpArgument lane;
    lane.bits = bits;
    lane.argument = argument;
    BlockRuntime::instance().warp_operation(kind == EmulationShuffleXor ? WarpOperation::ShuffleXor
            : kind == EmulationShuffleDown                              ? WarpOperation::ShuffleDown
                                                                        : WarpOperation::ShuffleIndex,
        lane);
    return lane.bits;
}

EmulationUint4 emulation_load_matrix(const void* shared_row, bool transposed)
{
    const auto address = reinterpret_cast<uintptr_t>(shared_row);
    BlockRuntime& runtime = BlockRuntime::instance();
    if (shared_shadow.range_of(address) == nullptr)
    {
        runtime.fail(FaultKind::IllegalAddress, " loads a matrix row from an address that is not in shared memory.");
    }

    check_read(address, 16);
    WarpArgument lane;
    lane.row = shared_row;
    runtime.warp_operation(transposed ? WarpOperation::LoadMatrixTransposed : WarpOperation::LoadMatrix, lane);
    return lane.result;
}

EmulationFloat4 emulation_mma(EmulationFloat4 d, EmulationUint4 a, uint32_t b0, uint32_t b1)
{
    WarpArgument lane;
    lane.d = d;
    lane.a = a;
    lane.b[0] = b0;
    lane.b[1] = b1;
    BlockRuntime::instance().warp_operation(WarpOperation::MatrixProduct, lane);
    return lane.d;
}

uint32_t emulation_shared_address(const void* pointer) { return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(pointer)); }

namespace
{

template <typename T> T atomic_add(T* address, T value)
{
    check_atomic(reinterpret_cast<uintptr_t>(address), sizeof(T));
    const T before = *address;
    *address = before + value;
    return before;
}

} // namespace

uint32_t emulation_atomic_add32(uint32_t* address, uint32_t value) { return atomic_add(address, value); }

uint64_t emulation_atomic_add64(uint64_t* address, uint64_t value) { return atomic_add(address, value); }

uint32_t emulation_draw_ticket(uint32_t* counter, uint32_t last)
{
    check_atomic(reinterpret_cast<uintptr_t>(counter), sizeof(uint32_t));
    const uint32_t ticket = *counter;
    *counter = ticket >= last ? 0 : ticket + 1;
    return ticket;
}

void emulation_wait_for(const uint32_t* address, uint32_t value)
{
    check_acquire(reinterpret_cast<uintptr_t>(address), sizeof(uint32_t));
    if (*address != value)
    {
        BlockRuntime::instance().fail(FaultKind::LaunchFailed, " waits for " + std::to_string(value) + " in a word that holds " +
            std::to_string(*address) + ", which no earlier block has left to change.");
    }
}

void emulation_store_release(uint32_t* address, uint32_t value)
{
    check_release(reinterpret_cast<uintptr_t>(address), sizeof(uint32_t));
    *address = value;
}
