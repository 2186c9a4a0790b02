// The memory that operations may touch: device allocations and pinned host ranges, each with its shadow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "epoch.h"
#include "eternal.h"

namespace emulation
{

enum class RegionKind
{
    Device,
    Host,           // allocated by the driver
    RegisteredHost, // the caller's own
};

// The shadow keeps, for each 4 bytes (a granule), its last write, its last reads by one operation, and a mark: which of the bytes
// were written (4 bits, kept inverted for host memory, which the host may have written at any time) and, above, the set of other
// operations whose reads are not known to come before.
struct Region
{
    uintptr_t begin;
    size_t bytes;
    RegionKind kind;
    uint32_t number;
    uint32_t inverted; // 15 for host memory
    Epoch* writes;
    Epoch* reads;
    uint32_t* marks;
    // What to unmap.
    void* shadow;
    size_t shadow_bytes;
    void* memory;
    size_t memory_bytes;

    bool contains(uintptr_t address, size_t length) const { return address - begin < bytes && length <= bytes - (address - begin); }
    size_t granule(uintptr_t address) const { return (address - (begin & ~uintptr_t{3})) / 4; }
    // Which of a granule's bytes are written.
    uint32_t written(uintptr_t address) const { return (marks[granule(address)] ^ inverted) & 15; }
    std::string describe() const;
};

constexpr uint32_t WrittenBits = 15;
constexpr int ReadersShift = 4;

class Regions
{
public:
    // Null where the machine has no memory for it. Guard pages lie on both sides.
    Region* allocate(size_t bytes, RegionKind kind);
    Region* add_registered(uintptr_t begin, size_t bytes);
    // Addresses of what the driver allocated are not given out again: a later access is known as one after the end.
    bool remove(uintptr_t begin, RegionKind kind);
    void remove_all();

    // The live region that an address lies in, or null.
    Region* find(uintptr_t address)
    {
        if (address - _last->begin < _last->bytes)
        {
            return _last;
        }

        return find_slowly(address);
    }

    Region* starting_at(uintptr_t begin, RegionKind kind) const;
    bool overlaps(uintptr_t begin, size_t bytes) const;
    uint64_t bytes_of(RegionKind kind) const;
    // `device allocation 2 (1024 bytes) + 16`, or what is near.
    std::string describe(uintptr_t address) const;

private:
    struct Freed
    {
        uintptr_t begin;
        size_t bytes;
        std::string name;
        void* memory;
        size_t memory_bytes;
    };

    Region* find_slowly(uintptr_t address);
    Region* add(uintptr_t begin, size_t bytes, RegionKind kind);

    Region _none{};
    Region* _last = &_none;
    std::vector<std::unique_ptr<Region>> _live;
    std::vector<Freed> _freed;
    uint32_t _numbers[3] = {0, 0, 0};
};

extern Eternal<Regions> eternal_regions;
static Regions& regions = eternal_regions.value;

} // namespace emulation
