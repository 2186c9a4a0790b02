#include "regions.h"

#include <algorithm>
#include <cstdio>
#include <sys/mman.h>

namespace emulation
{

namespace
{

constexpr size_t Page = 4096;
constexpr size_t Guard = 64 * 1024;

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

void* map(size_t bytes, int protection)
{
    void* memory = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
}

} // namespace

Eternal<Regions> eternal_regions;

std::string Region::describe() const
{
    return std::string(kind == RegionKind::Device ? "device allocation "
                       : kind == RegionKind::Host ? "pinned host allocation "
                                                  : "registered host range ") +
           std::to_string(number) + " (" + std::to_string(bytes) + " bytes)";
}

Region* Regions::add(uintptr_t begin, size_t bytes, RegionKind kind)
{
    auto region = std::make_unique<Region>();
    const size_t granules = round_up(bytes + begin % 4, 4) / 4;
    const size_t epochs = round_up(granules * sizeof(Epoch), Page);
    region->shadow_bytes = 2 * epochs + round_up(granules * sizeof(uint32_t), Page);
    region->shadow = map(region->shadow_bytes, PROT_READ | PROT_WRITE);
    if (region->shadow == nullptr)
    {
        return nullptr;
    }

    auto shadow = static_cast<char*>(region->shadow);
    region->begin = begin;
    region->bytes = bytes;
    region->kind = kind;
    region->number = ++_numbers[static_cast<int>(kind)];
    region->inverted = kind == RegionKind::Device ? 0 : WrittenBits;
    region->writes = reinterpret_cast<Epoch*>(shadow);
    region->reads = reinterpret_cast<Epoch*>(shadow + epochs);
    region->marks = reinterpret_cast<uint32_t*>(shadow + 2 * epochs);
    _live.push_back(std::move(region));
    return _live.back().get();
}

Region* Regions::allocate(size_t bytes, RegionKind kind)
{
    const size_t inner = round_up(bytes, Page);
    auto memory = static_cast<char*>(map(inner + 2 * Guard, PROT_NONE));
    if (memory == nullptr)
    {
        return nullptr;
    }

    Region* region = mprotect(memory + Guard, inner, PROT_READ | PROT_WRITE) == 0
        ? add(reinterpret_cast<uintptr_t>(memory + Guard), bytes, kind)
        : nullptr;
    if (region == nullptr)
    {
        munmap(memory, inner + 2 * Guard);
        return nullptr;
    }

    region->memory = memory;
    region->memory_bytes = inner + 2 * Guard;
    return region;
}

Region* Regions::add_registered(uintptr_t begin, size_t bytes) { return add(begin, bytes, RegionKind::RegisteredHost); }

bool Regions::remove(uintptr_t begin, RegionKind kind)
{
    auto at = std::find_if(_live.begin(), _live.end(), [&](auto& region) { return region->begin == begin && region->kind == kind; });
    if (at == _live.end())
    {
        return false;
    }

    Region& region = **at;
    _last = &_none;
    munmap(region.shadow, region.shadow_bytes);
    if (region.memory != nullptr)
    {
        // The addresses stay taken, the memory goes.
        mmap(region.memory, region.memory_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        _freed.push_back({region.begin, region.bytes, region.describe(), region.memory, region.memory_bytes});
    }

    _live.erase(at);
    return true;
}

void Regions::remove_all()
{
    while (!_live.empty())
    {
        remove(_live.back()->begin, _live.back()->kind);
    }

    for (const Freed& freed : _freed)
    {
        munmap(freed.memory, freed.memory_bytes);
    }

    std::fill(std::begin(_numbers), std::end(_numbers), 0);
    _freed.clear();
}

Region* Regions::find_slowly(uintptr_t address)
{
    for (auto& region : _live)
    {
        if (address - region->begin < region->bytes)
        {
            return _last = region.get();
        }
    }

    return nullptr;
}

Region* Regions::starting_at(uintptr_t begin, RegionKind kind) const
{
    for (auto& region : _live)
    {
        if (region->begin == begin && region->kind == kind)
        {
            return region.get();
        }
    }

    return nullptr;
}

bool Regions::overlaps(uintptr_t begin, size_t bytes) const
{
    return std::any_of(_live.begin(), _live.end(),
        [&](auto& region) { return begin < region->begin + region->bytes && region->begin < begin + bytes; });
}

uint64_t Regions::bytes_of(RegionKind kind) const
{
    uint64_t bytes = 0;
    for (auto& region : _live)
    {
        bytes += region->kind == kind ? region->bytes : 0;
    }

    return bytes;
}

std::string Regions::describe(uintptr_t address) const
{
    for (auto& region : _live)
    {
        if (address - region->begin < region->bytes)
        {
            return region->describe() + " + " + std::to_string(address - region->begin);
        }
    }

    for (auto freed = _freed.rbegin(); freed != _freed.rend(); ++freed)
    {
        if (address - freed->begin < freed->bytes)
        {
            return freed->name + " + " + std::to_string(address - freed->begin) + ", which was freed";
        }
    }

    for (auto& region : _live)
    {
        const uintptr_t end = region->begin + region->bytes;
        if (address >= end && address - end < Guard)
        {
            return std::to_string(address - end) + " bytes past the end of " + region->describe();
        }

        if (address < region->begin && region->begin - address <= Guard)
        {
            return std::to_string(region->begin - address) + " bytes before " + region->describe();
        }
    }

    char text[40];
    std::snprintf(text, sizeof(text), "0x%zx", static_cast<size_t>(address));
    return std::string(text) + ", which is in no allocation";
}

} // namespace emulation
