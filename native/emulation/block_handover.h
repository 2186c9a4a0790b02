// Words by which blocks of a launch hand work to each other: what a block wrote before it released a word comes before what another
// block does after it found the word's value, and so on from block to block.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "epoch.h"
#include "eternal.h"

namespace emulation
{

class BlockHandover
{
public:
    void start_launch();
    void start_block() { _acquired.clear(); }
    void release(uintptr_t word, Epoch block_first, Epoch now);
    void acquire(uintptr_t word, Epoch now);

    // Whether a write, or reads, of an earlier block of the launch come before what the running thread does now.
    bool saw_write(Epoch written, Epoch now) const { return !_acquired.empty() && saw(written & ~KindMask, now); }
    bool saw_reads(Epoch reads, Epoch now) const { return !_acquired.empty() && saw(reads, now); }

private:
    // All that comes before `released` in its block.
    struct Released
    {
        Epoch block_first;
        Epoch released;
    };

    struct Acquired
    {
        Released what;
        Epoch acquired;
    };

    bool saw(Epoch reads, Epoch now) const;

    std::unordered_map<uintptr_t, std::vector<Released>> _words;
    std::vector<Acquired> _acquired; // by the running block; in the order of blocks
};

extern Eternal<BlockHandover> eternal_block_handover;
static BlockHandover& block_handover = eternal_block_handover.value;

} // namespace emulation
