// A small generator (splitmix64): the same seed gives the same order of execution on every machine.
#pragma once

#include <cstdint>

namespace emulation
{

class Random
{
public:
    explicit Random(uint64_t seed) : _state(seed) {}

    uint64_t next()
    {
        uint64_t z = _state += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }

    // From 0 to below `bound`, which is small: the bias does not matter.
    uint32_t below(uint32_t bound) { return static_cast<uint32_t>((next() >> 32) * bound >> 32); }

private:
    uint64_t _state;
};

} // namespace emulation
