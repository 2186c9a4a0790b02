#include "global_shadow.h"

#include <algorithm>

#include "fault.h"

namespace emulation
{

AccessState access_state;

namespace
{

const char* verb(AccessMode mode) { return mode == AccessMode::Read ? "reads " : "writes "; }

[[noreturn]] void throw_fault(uintptr_t address, size_t bytes, AccessMode mode, Found found)
{
    const FaultKind kind = found == Found::Nothing ? FaultKind::IllegalAddress : FaultKind::LaunchFailed;
    throw Fault(kind, "The " + operation_order.describe(operation_order.running().first) + describe_access(address, bytes, mode, found));
}

Region& whole_region(uintptr_t address, size_t bytes, AccessMode mode)
{
    std::string why;
    Region* region = region_for(address, bytes, mode, why);
    if (region == nullptr)
    {
        throw Fault(FaultKind::IllegalAddress, "The " + operation_order.describe(operation_order.running().first) + why);
    }

    return *region;
}

// Calls `touch(granule, mask)` for each granule of a range; stops with a fault where it finds something.
template <typename Touch> void for_granules(Region& region, uintptr_t address, size_t bytes, AccessMode mode, Touch touch)
{
    const uintptr_t end = address + bytes;
    auto part = [&](uintptr_t at, size_t length) {
        const Found found = touch(region.granule(at), granule_mask(at, length));
        if (found != Found::Nothing)
        {
            throw_fault(at, length, mode, found);
        }
    };
    uintptr_t at = address;
    if ((at & 3) != 0)
    {
        const size_t length = std::min<size_t>(bytes, 4 - (at & 3));
        part(at, length);
        at += length;
    }

    size_t granule = region.granule(at);
    for (; at + 4 <= end; at += 4, granule++)
    {
        const Found found = touch(granule, WrittenBits);
        if (__builtin_expect(found != Found::Nothing, 0))
        {
            throw_fault(at, 4, mode, found);
        }
    }

    if (at < end)
    {
        part(at, end - at);
    }
}

void set_written_bits(Region& region, uintptr_t address, uint32_t mask, uint32_t bits)
{
    uint32_t& mark = region.marks[region.granule(address)];
    mark = (mark & ~mask) | ((bits ^ region.inverted) & mask);
}

} // namespace

std::string access_place(uintptr_t address, size_t bytes, AccessMode mode)
{
    return std::string(" ") + verb(mode) + std::to_string(bytes) + " bytes at " + regions.describe(address);
}

std::string describe_access(uintptr_t address, size_t bytes, AccessMode mode, Found found, Epoch other)
{
    const std::string place = access_place(address, bytes, mode);
    const Region* region = regions.find(address);
    if (found == Found::Nothing || region == nullptr)
    {
        return place + ".";
    }

    const size_t granule = region->granule(address);
    const Epoch written = region->writes[granule];
    const Epoch read = region->reads[granule];
    switch (found)
    {
    case Found::Unwritten: return place + ", which nothing has written.";
    case Found::WrittenByOperation: return place + ", which the " + operation_order.describe(written) + " writes: nothing orders the two.";
    case Found::ReadByOperation:
    {
        const uint32_t readers = region->marks[granule] >> ReadersShift;
        const bool last = read != 0 && !operation_order.ordered(read);
        return place + ", which the " + (last ? operation_order.describe(read) : operation_order.describe_unordered(readers)) +
            " reads: nothing orders the two.";
    }
    case Found::WrittenByBlock: return place + ", which another block of the launch has written.";
    case Found::ReadByBlock: return place + ", which another block of the launch has read.";
    case Found::WrittenByThread:
        return place + ", which thread " + std::to_string(thread_of(other)) + " of the block has written with no barrier between the two.";
    default:
        return place + ", which thread " + std::to_string(thread_of(other)) + " of the block has read with no barrier between the two.";
    }
}

Region* region_for(uintptr_t address, size_t bytes, AccessMode mode, std::string& why)
{
    Region* region = regions.find(address);
    if (region == nullptr || !region->contains(address, bytes))
    {
        const uintptr_t outside = region == nullptr ? address : region->begin + region->bytes;
        why = access_place(address, bytes, mode) +
              (region == nullptr ? "" : ", of which the last " + std::to_string(address + bytes - outside) + " are outside") + ".";
        return nullptr;
    }

    if (access_state.ranges != nullptr && !access_state.ranges->allow(address, bytes, mode))
    {
        why = access_place(address, bytes, mode) + ", which is not in the ranges that were declared for it.";
        return nullptr;
    }

    return region;
}

void read_range(uintptr_t address, size_t bytes, Demand demand)
{
    if (bytes == 0)
    {
        return;
    }

    Region& region = whole_region(address, bytes, AccessMode::Read);
    const Epoch as = access_state.operation_first;
    if (demand == Demand::Written)
    {
        for_granules(region, address, bytes, AccessMode::Read,
            [&](size_t granule, uint32_t mask) { return read_granule<Demand::Written>(region, granule, mask, as); });
    }
    else
    {
        for_granules(region, address, bytes, AccessMode::Read,
            [&](size_t granule, uint32_t mask) { return read_granule<Demand::Any>(region, granule, mask, as); });
    }
}

void write_range(uintptr_t address, size_t bytes)
{
    if (bytes == 0)
    {
        return;
    }

    Region& region = whole_region(address, bytes, AccessMode::Write);
    const Epoch as = access_state.operation_first;
    for_granules(
        region, address, bytes, AccessMode::Write, [&](size_t granule, uint32_t mask) { return write_granule(region, granule, mask, as); });
}

void update_range(uintptr_t address, size_t bytes)
{
    if (bytes == 0)
    {
        return;
    }

    Region& region = whole_region(address, bytes, AccessMode::Write);
    const Epoch as = access_state.operation_first;
    for_granules(
        region, address, bytes, AccessMode::Write, [&](size_t granule, uint32_t) { return write_granule(region, granule, 0, as); });
}

void copy_written(uintptr_t to, uintptr_t from, size_t bytes)
{
    if (bytes == 0)
    {
        return;
    }

    Region& target = *regions.find(to);
    Region& source = *regions.find(from);
    const bool aligned = (to & 3) == (from & 3);
    for (size_t at = 0; at < bytes;)
    {
        const size_t length = aligned ? std::min<size_t>(bytes - at, 4 - ((to + at) & 3)) : 1;
        const uint32_t bits = source.written(from + at);
        const uint32_t mask = granule_mask(to + at, length);
        set_written_bits(target, to + at, mask, aligned ? bits : (bits >> ((from + at) & 3) & 1) << ((to + at) & 3));
        at += length;
    }
}

void forget_range(uintptr_t address, size_t bytes)
{
    if (bytes == 0)
    {
        return;
    }

    Region& region = *regions.find(address);
    for (size_t at = 0; at < bytes;)
    {
        const size_t length = std::min<size_t>(bytes - at, 4 - ((address + at) & 3));
        set_written_bits(region, address + at, granule_mask(address + at, length), 0);
        at += length;
    }
}

} // namespace emulation
