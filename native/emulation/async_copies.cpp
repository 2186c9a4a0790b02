#include "async_copies.h"

#include <cstring>

namespace emulation
{

namespace
{

void land(const AsyncCopy& copy)
{
    if (copy.valid)
    {
        std::memcpy(copy.shared, copy.global, 16);
    }
    else
    {
        std::memset(copy.shared, 0, 16);
    }
}

} // namespace

void complete_copies(Thread& thread, uint32_t pending, CopiesOf which)
{
    size_t done = 0;
    while (done < thread.copies.size() && (which == CopiesOf::EndOfThread || thread.copies[done].group + pending < thread.committed))
    {
        land(thread.copies[done++]);
    }

    thread.copies.erase(thread.copies.begin(), thread.copies.begin() + static_cast<ptrdiff_t>(done));
}

} // namespace emulation

using namespace emulation;

void emulation_copy_async(void* shared, const void* global, bool valid)
{
    BlockRuntime& runtime = BlockRuntime::instance();
    if (!runtime.in_shared(shared, 16) || reinterpret_cast<uintptr_t>(shared) % 16 != 0)
    {
        runtime.fail("copies 16 bytes asynchronously to an address that is not in shared memory or no multiple of 16");
    }

    if (valid && reinterpret_cast<uintptr_t>(global) % 16 != 0)
    {
        runtime.fail("copies 16 bytes asynchronously from an address that is no multiple of 16");
    }

    std::memset(shared, 0xff, 16);
    Thread& thread = runtime.current();
    thread.copies.push_back({shared, global, valid, thread.committed});
}

void emulation_copy_async_commit() { BlockRuntime::instance().current().committed++; }

void emulation_copy_async_wait(uint32_t pending)
{
    complete_copies(BlockRuntime::instance().current(), pending, CopiesOf::CommittedGroups);
}
