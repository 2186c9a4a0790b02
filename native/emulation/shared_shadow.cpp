#include "shared_shadow.h"

namespace emulation
{

Eternal<SharedShadow> eternal_shared_shadow;

void SharedRange::set(uintptr_t to, size_t length)
{
    // Cells need no clearing: what they hold is older than any block to come.
    begin = to;
    bytes = length;
    whole_words = true;
    if (cells.size() < (length + 1) / 2)
    {
        cells.resize((length + 1) / 2);
    }
}

void SharedRange::split_words()
{
    whole_words = false;
    for (size_t second = 1; second < cells.size(); second += 2)
    {
        cells[second] = cells[second - 1];
    }
}

namespace
{

SharedRange& range_near(uintptr_t address)
{
    return address - shared_shadow.dynamic.begin < shared_shadow.dynamic.bytes ? shared_shadow.dynamic : shared_shadow.fixed;
}

} // namespace

std::string shared_place(uintptr_t address, size_t bytes, AccessMode mode)
{
    const SharedRange& range = range_near(address);
    return std::string(mode == AccessMode::Read ? " reads " : " writes ") + std::to_string(bytes) + " bytes at " +
        (&range == &shared_shadow.dynamic ? "dynamic" : "static") + " shared memory + " + std::to_string(address - range.begin);
}

std::string describe_shared(uintptr_t address, size_t bytes, AccessMode mode, SharedFound found, Epoch other)
{
    const std::string place = shared_place(address, bytes, mode);
    auto with_thread = [&](const char* did) {
        return place + ", which thread " + std::to_string(thread_of(other)) + " of the block has " + did +
               " with no barrier between the two.";
    };
    switch (found)
    {
    case SharedFound::Unwritten: return place + ", which the block has not written.";
    case SharedFound::NotLanded:
        return place + ", where an asynchronous copy of thread " + std::to_string(thread_of(other)) +
               " has not landed: it was not waited for.";
    case SharedFound::Written: return with_thread("written");
    case SharedFound::Read: return with_thread("read");
    default: return place + ".";
    }
}

} // namespace emulation
