// The calls that the compiler puts before each load and store of a kernel (-fsanitize=thread and -fsanitize=bounds, with no
// sanitizer's run-time library).
#include "access_hooks.h"

#include <cstring>

#include "block_runtime.h"
#include "global_shadow.h"
#include "shared_shadow.h"

namespace emulation
{

namespace
{

[[noreturn]] void fail(FaultKind kind, const std::string& what) { BlockRuntime::instance().fail(kind, what); }

[[noreturn, gnu::noinline]] void fail_shared(uintptr_t address, size_t bytes, AccessMode mode, SharedFound found, Epoch other)
{
    fail(FaultKind::LaunchFailed, describe_shared(address, bytes, mode, found, other));
}

[[noreturn, gnu::noinline]] void fail_global(uintptr_t address, size_t bytes, AccessMode mode, Found found, Epoch other = 0)
{
    fail(FaultKind::LaunchFailed, describe_access(address, bytes, mode, found, other));
}

// A write that conflicts with another thread of the block is no fault if it leaves the bytes as they are: lanes may all write what
// they all know. The write comes after the call that announces it; the thread's next call looks at what became of it.
struct Doubt
{
    uintptr_t address;
    size_t bytes;
    unsigned char before[16];
    SharedFound shared;
    Found global;
    Epoch other;
};

Doubt s_doubt;

[[gnu::noinline]] void resolve_doubt()
{
    const Doubt doubt = s_doubt;
    access_state.doubt = false;
    if (std::memcmp(reinterpret_cast<const void*>(doubt.address), doubt.before, doubt.bytes) != 0)
    {
        doubt.shared != SharedFound::Nothing ? fail_shared(doubt.address, doubt.bytes, AccessMode::Write, doubt.shared, doubt.other)
                                             : fail_global(doubt.address, doubt.bytes, AccessMode::Write, doubt.global, doubt.other);
    }
}

// False where it cannot be decided later.
bool doubt(uintptr_t address, size_t bytes, Epoch kind, SharedFound shared, Found global, Epoch other)
{
    if (kind != Plain || bytes > sizeof(s_doubt.before))
    {
        return false;
    }

    if (!access_state.doubt)
    {
        access_state.doubt = true;
        s_doubt = {address, bytes, {}, shared, global, other};
        std::memcpy(s_doubt.before, reinterpret_cast<const void*>(address), bytes);
    }

    return true;
}

// What a cell holds once threads have written it without a barrier between them.
Epoch agreed(Epoch written) { return ((written ^ access_state.now) & WarpMask) == 0 ? access_state.now | Agreed : access_state.now; }

[[noreturn, gnu::noinline]] void fail_misaligned(uintptr_t address, size_t bytes, AccessMode mode)
{
    fail(FaultKind::MisalignedAddress,
        (shared_shadow.range_of(address) != nullptr ? shared_place(address, bytes, mode) : access_place(address, bytes, mode)) +
            ": that address is no multiple of " + std::to_string(bytes) + ".");
}

template <bool Writes> void touch_shared(SharedRange& range, uintptr_t address, size_t bytes, Epoch kind)
{
    if (!range.holds(address, bytes))
    {
        fail(FaultKind::IllegalAddress, shared_place(address, bytes, Writes ? AccessMode::Write : AccessMode::Read) +
                                            ", which ends after " + std::to_string(range.bytes) + " bytes.");
    }

    const size_t stride = range.stride(address - range.begin, bytes);
    SharedCell* cell = range.cells.data() + (address - range.begin) / 2;
    for (size_t i = 0; i < bytes; i += 2 * stride, cell += stride)
    {
        const Epoch written = cell->written;
        const SharedFound found = Writes ? write_shared(*cell, kind) : read_shared(*cell);
        if (__builtin_expect(found != SharedFound::Nothing, 0))
        {
            const Epoch other = found == SharedFound::Read ? cell->read : written;
            if (!Writes || (written & KindMask) == Pending || !doubt(address, bytes, kind, found, Found::Nothing, other))
            {
                fail_shared(address + i, bytes, Writes ? AccessMode::Write : AccessMode::Read, found, other);
            }

            cell->written = agreed(written);
        }
    }
}

// Not in an allocation: a constant of the kernel, or a fault. Null where nothing is left to check.
template <bool Writes> Region* other_region(uintptr_t address, size_t bytes)
{
    const AccessState& state = access_state;
    if (!Writes && address - state.image_begin < state.image_bytes)
    {
        return nullptr;
    }

    const SharedRange& shared = shared_shadow.dynamic;
    if (address - shared.begin < BlockRuntime::MaxDynamicShared)
    {
        fail(FaultKind::IllegalAddress, std::string(Writes ? " writes " : " reads ") + std::to_string(bytes) + " bytes " +
            std::to_string(address - shared.begin - shared.bytes) + " bytes past the end of the launch's " + std::to_string(shared.bytes) +
            " bytes of dynamic shared memory.");
    }

    std::string why;
    Region* region = region_for(address, bytes, Writes ? AccessMode::Write : AccessMode::Read, why);
    if (region == nullptr)
    {
        fail(FaultKind::IllegalAddress, why);
    }

    return region;
}

template <bool Writes> [[gnu::always_inline]] inline void touch_granule(
    Region& region, size_t granule, uintptr_t address, size_t bytes, uint32_t mask, Epoch as, Epoch kind)
{
    const Found found =
        Writes ? write_granule(region, granule, mask, as, kind) : read_granule<Demand::Written>(region, granule, mask, as, kind);
    if (__builtin_expect(found != Found::Nothing, 0))
    {
        const Epoch written = region.writes[granule];
        const Epoch other = found == Found::ReadByThread ? region.reads[granule] : written;
        if (!Writes || (found != Found::WrittenByThread && found != Found::ReadByThread) ||
            !doubt(address, bytes, kind, SharedFound::Nothing, found, other))
        {
            fail_global(address, bytes, Writes ? AccessMode::Write : AccessMode::Read, found, other);
        }

        region.writes[granule] = agreed(written);
    }
}

// Granules of which not all is touched: threads are not told apart.
template <bool Writes> [[gnu::noinline]] void touch_parts(Region& region, uintptr_t address, size_t bytes, Epoch kind)
{
    for (uintptr_t at = address, end = address + bytes; at < end;)
    {
        const size_t length = end - at < 4 - (at & 3) ? end - at : 4 - (at & 3);
        touch_granule<Writes>(region, region.granule(at), address, bytes, granule_mask(at, length), access_state.operation_first, kind);
        at += length;
    }
}

template <bool Writes> inline void touch_granules(Region& region, uintptr_t address, size_t bytes, Epoch kind)
{
    if (__builtin_expect(((address | bytes) & 3) != 0, 0))
    {
        touch_parts<Writes>(region, address, bytes, kind);
        return;
    }

    // Other blocks may write a word that this one has only looked at.
    const Epoch as = !Writes && kind == Atomic ? access_state.operation_first : access_state.now;
    const size_t first = region.granule(address);
    for (size_t granule = first; granule < first + bytes / 4; granule++)
    {
        touch_granule<Writes>(region, granule, address, bytes, WrittenBits, as, kind);
    }
}

template <bool Writes> inline void touch(uintptr_t address, size_t bytes, size_t alignment, Epoch kind = Plain)
{
    const AccessState& state = access_state;
    if (address - state.stacks_begin < state.stacks_bytes)
    {
        return;
    }

    if (__builtin_expect(state.doubt, 0))
    {
        resolve_doubt();
    }

    if (__builtin_expect((address & (alignment - 1)) != 0, 0))
    {
        fail_misaligned(address, bytes, Writes ? AccessMode::Write : AccessMode::Read);
    }

    if (SharedRange* shared = shared_shadow.range_of(address))
    {
        touch_shared<Writes>(*shared, address, bytes, kind);
        return;
    }

    Region* region = regions.find(address);
    if (region == nullptr || !region->contains(address, bytes) ||
        (state.ranges != nullptr && !state.ranges->allow(address, bytes, Writes ? AccessMode::Write : AccessMode::Read)))
    {
        region = other_region<Writes>(address, bytes);
        if (region == nullptr)
        {
            return;
        }
    }

    touch_granules<Writes>(*region, address, bytes, kind);
}

} // namespace

void settle_accesses()
{
    if (__builtin_expect(access_state.doubt, 0))
    {
        resolve_doubt();
    }
}

void check_read(uintptr_t address, size_t bytes) { touch<false>(address, bytes, bytes); }

void check_atomic(uintptr_t address, size_t bytes)
{
    if (SharedRange* shared = shared_shadow.range_of(address))
    {
        shared->stride(address - shared->begin, bytes);
        if (shared->cells[(address - shared->begin) / 2].written < access_state.block_first)
        {
            fail_shared(address, bytes, AccessMode::Read, SharedFound::Unwritten, 0);
        }
    }
    else if (const Region* region = regions.find(address); region != nullptr && region->written(address) != WrittenBits)
    {
        fail_global(address, bytes, AccessMode::Read, Found::Unwritten);
    }

    check_write(address, bytes, Atomic);
}

void check_acquire(uintptr_t address, size_t bytes)
{
    touch<false>(address, bytes, bytes, Atomic);
    block_handover.acquire(address, access_state.now);
}

void check_release(uintptr_t address, size_t bytes)
{
    check_write(address, bytes, Atomic);
    block_handover.release(address, access_state.block_first, access_state.now);
}

void check_write(uintptr_t address, size_t bytes, Epoch kind) { touch<true>(address, bytes, bytes, kind); }

} // namespace emulation

using namespace emulation;

#pragma GCC visibility push(default)

#define HOOKS(bytes)                                                                                                      \
    extern "C" void __tsan_read##bytes(void* address) { touch<false>(reinterpret_cast<uintptr_t>(address), bytes, bytes); } \
    extern "C" void __tsan_write##bytes(void* address) { touch<true>(reinterpret_cast<uintptr_t>(address), bytes, bytes); }

HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

extern "C" void __tsan_read_range(void* address, size_t bytes)
{
    if (bytes > 0)
    {
        touch<false>(reinterpret_cast<uintptr_t>(address), bytes, 1);
    }
}

extern "C" void __tsan_write_range(void* address, size_t bytes)
{
    if (bytes > 0)
    {
        touch<true>(reinterpret_cast<uintptr_t>(address), bytes, 1);
    }
}

extern "C" void __tsan_init() {}

// The place of an array index outside its array, as the compiler describes it.
struct OutOfBounds
{
    const char* file;
    uint32_t line;
    uint32_t column;
};

extern "C" void __ubsan_handle_out_of_bounds(OutOfBounds* place, uintptr_t index)
{
    fail(FaultKind::IllegalAddress, " uses the index " + std::to_string(static_cast<intptr_t>(index)) + " outside its array, in " +
                                        place->file + " line " + std::to_string(place->line) + ".");
}

extern "C" void __ubsan_handle_out_of_bounds_abort(OutOfBounds* place, uintptr_t index) { __ubsan_handle_out_of_bounds(place, index); }

#pragma GCC visibility pop
