// An object that is never destroyed: threads may still call the driver while the process ends.
#pragma once

namespace emulation
{

template <typename T> union Eternal
{
    T value;

    Eternal() : value() {}
    ~Eternal() {}
};

} // namespace emulation
