// Checks accesses to device and pinned host memory, and keeps what later checks need.
#pragma once

#include <cstddef>
#include <cstdint>

#include "access_state.h"
#include "block_handover.h"
#include "operation_order.h"
#include "regions.h"

namespace emulation
{

enum class Found : uint32_t
{
    Nothing,
    Unwritten,
    WrittenByOperation,
    ReadByOperation,
    WrittenByBlock,
    ReadByBlock,
    WrittenByThread,
    ReadByThread,
};

// What reads demand of the bytes.
enum class Demand
{
    Written,
    Any, // copies carry unwritten bytes along
};

// A write of the running launch, and a read or another write now.
inline Found after_write(Epoch written, AccessMode mode)
{
    const AccessState& state = access_state;
    if (written < state.block_first)
    {
        return block_handover.saw_write(written, state.now) ? Found::Nothing : Found::WrittenByBlock;
    }

    const bool fine = mode == AccessMode::Read ? readable_in_block(written, state.now) : ordered_in_block(written, state.now);
    return fine ? Found::Nothing : Found::WrittenByThread;
}

// One granule, of whose bytes `mask` are touched, at a time. `as` is what the access is recorded as: the thread's epoch, or the
// operation's first for accesses that threads and blocks are not told apart for: those of other operations than kernels, and of less
// than a granule.
//
// `kind` is Plain or Atomic: atomic accesses of one launch do not conflict with one another.
template <Demand demand> inline Found read_granule(Region& region, size_t at, uint32_t mask, Epoch as, Epoch kind = Plain)
{
    const AccessState& state = access_state;
    const Epoch written = region.writes[at];
    const uint32_t mark = region.marks[at];
    if (demand == Demand::Written && (~(mark ^ region.inverted) & mask) != 0)
    {
        return Found::Unwritten;
    }

    if (written > state.operation_first)
    {
        const Found found = both_atomic(written, kind) ? Found::Nothing : after_write(written, AccessMode::Read);
        if (found != Found::Nothing)
        {
            return found;
        }
    }
    else if (!operation_order.ordered(written))
    {
        return Found::WrittenByOperation;
    }

    const Epoch read = region.reads[at];
    if (read == as)
    {
        return Found::Nothing;
    }

    if (read < state.operation_first)
    {
        if (mark >> ReadersShift != 0 || !operation_order.ordered(read))
        {
            region.marks[at] = (mark & WrittenBits) | operation_order.with_reader(mark >> ReadersShift, read) << ReadersShift;
        }

        region.reads[at] = as;
    }
    else if (as == state.operation_first || read == state.operation_first)
    {
        region.reads[at] = read == state.operation_first ? as : read;
    }
    else if (read >= state.block_first)
    {
        region.reads[at] = with_read(read, as);
    }
    else
    {
        region.reads[at] = block_handover.saw_reads(read, state.now) ? as : read | ManyBlocks;
    }

    return Found::Nothing;
}

inline Found write_granule(Region& region, size_t at, uint32_t mask, Epoch as, Epoch kind = Plain)
{
    const AccessState& state = access_state;
    const Epoch written = region.writes[at];
    if (written > state.operation_first)
    {
        const Found found = both_atomic(written, kind) ? Found::Nothing : after_write(written, AccessMode::Write);
        if (found != Found::Nothing)
        {
            return found;
        }
    }
    else if (!operation_order.ordered(written))
    {
        return Found::WrittenByOperation;
    }

    const Epoch read = region.reads[at];
    const uint32_t mark = region.marks[at];
    if (read > state.operation_first)
    {
        if (read < state.block_first)
        {
            if (!block_handover.saw_reads(read, state.now))
            {
                return Found::ReadByBlock;
            }
        }
        else if (!reads_ordered_in_block(read, state.now))
        {
            return Found::ReadByThread;
        }
    }
    else if (!operation_order.ordered(read))
    {
        return Found::ReadByOperation;
    }

    if (mark >> ReadersShift != 0 && !operation_order.readers_ordered(mark >> ReadersShift))
    {
        return Found::ReadByOperation;
    }

    region.writes[at] = as | kind;
    region.reads[at] = 0;
    region.marks[at] = (((mark ^ region.inverted) & WrittenBits) | mask) ^ region.inverted;
    return Found::Nothing;
}

// Bytes of a granule that an access of up to a granule's size covers.
inline uint32_t granule_mask(uintptr_t address, size_t bytes) { return ((1u << bytes) - 1) << (address & 3); }

// Ranges, as whole operations touch them. They throw a Fault that names `what` (`reads`, `writes`) they found.
void read_range(uintptr_t address, size_t bytes, Demand demand);
void write_range(uintptr_t address, size_t bytes);
// Written as far as order goes: which bytes are written stays as it is.
void update_range(uintptr_t address, size_t bytes);
// Bytes become written where those of the source are; both ranges were read and written before.
void copy_written(uintptr_t to, uintptr_t from, size_t bytes);
// Nothing is written there any more.
void forget_range(uintptr_t address, size_t bytes);

// ` reads 16 bytes at device allocation 1 (1024 bytes) + 16`.
std::string access_place(uintptr_t address, size_t bytes, AccessMode mode);

// The end of a sentence about an access: ` reads 16 bytes at device allocation 1 (1024 bytes) + 16, which ...`.
// `other` is the thread's epoch where that is what it conflicts with.
std::string describe_access(uintptr_t address, size_t bytes, AccessMode mode, Found found, Epoch other = 0);

// The region that holds all of an access, which is allowed there; otherwise throws, or is null with the sentence's end in `why`.
Region* region_for(uintptr_t address, size_t bytes, AccessMode mode, std::string& why);

} // namespace emulation
