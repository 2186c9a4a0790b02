#include "async_copies.h"

#include <cstring>

#include "access_hooks.h"
#include "shared_shadow.h"

namespace emulation
{

namespace
{

void land(const AsyncCopy& copy)
{
    check_write(reinterpret_cast<uintptr_t>(copy.shared), copy.bytes);
    if (copy.valid)
    {
        check_read(reinterpret_cast<uintptr_t>(copy.global), copy.bytes);
        std::memcpy(copy.shared, copy.global, copy.bytes);
    }
    else
    {
        std::memset(copy.shared, 0, copy.bytes);
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

void emulation_copy_async(void* shared, const void* global, uint32_t bytes, bool valid)
{
    const auto address = reinterpret_cast<uintptr_t>(shared);
    BlockRuntime& runtime = BlockRuntime::instance();
    if (shared_shadow.range_of(address) == nullptr)
    {
        runtime.fail(FaultKind::IllegalAddress, " copies asynchronously to an address that is not in shared memory.");
    }

    if (valid && reinterpret_cast<uintptr_t>(global) % bytes != 0)
    {
        const std::string size = std::to_string(bytes);
        runtime.fail(FaultKind::MisalignedAddress,
            " copies " + size + " bytes asynchronously from an address that is no multiple of " + size + ".");
    }

    check_write(address, bytes, Pending);
    std::memset(shared, 0xff, bytes);
    Thread& thread = runtime.current();
    thread.copies.push_back({shared, global, bytes, valid, thread.committed});
}

void emulation_copy_async_commit() { BlockRuntime::instance().current().committed++; }

void emulation_copy_async_wait(uint32_t pending)
{
    complete_copies(BlockRuntime::instance().current(), pending, CopiesOf::CommittedGroups);
}
