#include "declared_ranges.h"

#include <algorithm>

namespace emulation
{

DeclaredRanges::DeclaredRanges(const DataflowEmulationRange* ranges, size_t count)
{
    for (uint32_t mode = 1; mode <= 2; mode++)
    {
        std::vector<Span> spans;
        for (size_t i = 0; i < count; i++)
        {
            if ((ranges[i].access & mode) != 0 && ranges[i].bytes > 0)
            {
                spans.push_back({static_cast<uintptr_t>(ranges[i].address), static_cast<size_t>(ranges[i].bytes)});
            }
        }

        std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
        for (const Span& span : spans)
        {
            std::vector<Span>& merged = _spans[mode - 1];
            if (!merged.empty() && span.begin <= merged.back().begin + merged.back().bytes)
            {
                merged.back().bytes = std::max(merged.back().bytes, span.begin + span.bytes - merged.back().begin);
            }
            else
            {
                merged.push_back(span);
            }
        }
    }
}

bool DeclaredRanges::allow_slowly(uintptr_t address, size_t bytes, AccessMode mode)
{
    const uint32_t index = static_cast<uint32_t>(mode) - 1;
    const std::vector<Span>& spans = _spans[index];
    auto after = std::upper_bound(spans.begin(), spans.end(), address, [](uintptr_t a, const Span& span) { return a < span.begin; });
    if (after == spans.begin())
    {
        return false;
    }

    const Span& span = *std::prev(after);
    if (address - span.begin >= span.bytes || bytes > span.bytes - (address - span.begin))
    {
        return false;
    }

    _last[index] = span;
    return true;
}

} // namespace emulation
