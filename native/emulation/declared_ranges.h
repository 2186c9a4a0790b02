// What an operation may touch, where the caller says it: `dataflowEmulationDeclareRanges`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataflow_emulation.h"

namespace emulation
{

enum class AccessMode : uint32_t
{
    Read = DATAFLOW_EMULATION_READ,
    Write = DATAFLOW_EMULATION_WRITE,
};

class DeclaredRanges
{
public:
    DeclaredRanges(const DataflowEmulationRange* ranges, size_t count);

    bool allow(uintptr_t address, size_t bytes, AccessMode mode)
    {
        const Span& last = _last[static_cast<uint32_t>(mode) - 1];
        return (address - last.begin < last.bytes && bytes <= last.bytes - (address - last.begin)) || allow_slowly(address, bytes, mode);
    }

private:
    struct Span
    {
        uintptr_t begin;
        size_t bytes;
    };

    bool allow_slowly(uintptr_t address, size_t bytes, AccessMode mode);

    // For reads and for writes: sorted, with those that touch merged.
    std::vector<Span> _spans[2];
    Span _last[2]{};
};

} // namespace emulation
