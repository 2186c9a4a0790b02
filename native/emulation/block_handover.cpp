#include "block_handover.h"

#include <algorithm>

namespace emulation
{

Eternal<BlockHandover> eternal_block_handover;

void BlockHandover::start_launch()
{
    _words.clear();
    _acquired.clear();
}

void BlockHandover::release(uintptr_t word, Epoch block_first, Epoch now)
{
    std::vector<Released>& released = _words[word];
    released.clear();
    for (const Acquired& acquired : _acquired)
    {
        if (ordered_in_block(acquired.acquired, now))
        {
            released.push_back(acquired.what);
        }
    }

    released.push_back({block_first, now});
}

void BlockHandover::acquire(uintptr_t word, Epoch now)
{
    const auto found = _words.find(word);
    if (found == _words.end())
    {
        return;
    }

    for (const Released& released : found->second)
    {
        _acquired.push_back({released, now});
    }

    std::stable_sort(_acquired.begin(), _acquired.end(), [](const Acquired& a, const Acquired& b) {
        return a.what.block_first != b.what.block_first ? a.what.block_first < b.what.block_first : a.what.released < b.what.released;
    });
    // What one thread acquired twice is kept once.
    _acquired.erase(std::unique(_acquired.begin(), _acquired.end(), [](const Acquired& a, const Acquired& b) {
        return a.what.block_first == b.what.block_first && a.what.released == b.what.released && a.acquired == b.acquired;
    }), _acquired.end());
}

bool BlockHandover::saw(Epoch reads, Epoch now) const
{
    auto at =
        std::upper_bound(_acquired.begin(), _acquired.end(), reads, [](Epoch e, const Acquired& a) { return e < a.what.block_first; });
    if (at == _acquired.begin())
    {
        return false;
    }

    const Epoch block_first = std::prev(at)->what.block_first;
    while (at != _acquired.begin() && std::prev(at)->what.block_first == block_first)
    {
        --at;
        if ((reads & ~KindMask) <= at->what.released && reads_ordered_in_block(reads, at->what.released) &&
            ordered_in_block(at->acquired, now))
        {
            return true;
        }
    }

    return false;
}

} // namespace emulation
