// Checks accesses to shared memory: bytes that were not written, and conflicts between threads that no barrier orders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "access_state.h"
#include "eternal.h"

namespace emulation
{

// Of two bytes, as bf16 elements of neighbouring threads share four.
struct SharedCell
{
    Epoch written;
    Epoch read;
};

struct SharedRange
{
    uintptr_t begin = 0;
    size_t bytes = 0;
    std::vector<SharedCell> cells;
    // No access of this launch was of a part of a word of four bytes: of its two cells the first stands for both, which is half the work.
    bool whole_words = true;

    // Cells from one that is looked at to the next, for an access at that offset.
    size_t stride(size_t offset, size_t length)
    {
        if (whole_words && __builtin_expect(((offset | length) & 3) != 0, 0))
        {
            split_words();
        }

        return whole_words ? 2 : 1;
    }

    void split_words();
    bool holds(uintptr_t address, size_t length) const { return address - begin < bytes && length <= bytes - (address - begin); }
    void set(uintptr_t to, size_t length);
};

struct SharedShadow
{
    SharedRange dynamic;
    SharedRange fixed; // static shared memory of the kernel's file

    SharedRange* range_of(uintptr_t address)
    {
        return address - dynamic.begin < dynamic.bytes ? &dynamic : address - fixed.begin < fixed.bytes ? &fixed : nullptr;
    }
};

extern Eternal<SharedShadow> eternal_shared_shadow;
static SharedShadow& shared_shadow = eternal_shared_shadow.value;

enum class SharedFound : uint32_t
{
    Nothing,
    Unwritten,
    NotLanded,
    Written,
    Read,
};

inline SharedFound read_shared(SharedCell& cell)
{
    const Epoch now = access_state.now;
    const Epoch written = cell.written;
    if (written < access_state.block_first)
    {
        return SharedFound::Unwritten;
    }

    if ((written & KindMask) == Pending)
    {
        return SharedFound::NotLanded;
    }

    if (!readable_in_block(written, now))
    {
        return SharedFound::Written;
    }

    if (cell.read != now)
    {
        cell.read = cell.read < access_state.block_first ? now : with_read(cell.read, now);
    }

    return SharedFound::Nothing;
}

inline SharedFound write_shared(SharedCell& cell, Epoch kind = Plain)
{
    const Epoch now = access_state.now;
    const Epoch written = cell.written;
    cell.written = now | kind;
    if (written >= access_state.block_first && !both_atomic(written, kind) && !ordered_in_block(written, now))
    {
        return SharedFound::Written;
    }

    return cell.read >= access_state.block_first && !reads_ordered_in_block(cell.read, now) ? SharedFound::Read : SharedFound::Nothing;
}

// ` reads 16 bytes at dynamic shared memory + 16`.
std::string shared_place(uintptr_t address, size_t bytes, AccessMode mode);

// The end of a sentence about an access, and who it conflicts with.
std::string describe_shared(uintptr_t address, size_t bytes, AccessMode mode, SharedFound found, Epoch other);

} // namespace emulation
