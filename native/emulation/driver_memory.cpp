// Allocation, pinning, copies and fills.
#include <cstring>
#include <vector>

#include "driver.h"
#include "global_shadow.h"
#include "options.h"

using namespace emulation;

namespace
{

int64_t pinned_bytes() { return static_cast<int64_t>(regions.bytes_of(RegionKind::Host) + regions.bytes_of(RegionKind::RegisteredHost)); }

const char* copy_name(bool from_device, bool to_device)
{
    return from_device ? (to_device ? "copy on the device" : "copy from device to host")
                       : (to_device ? "copy from host to device" : "copy on the host");
}

bool on_device(uintptr_t address)
{
    const Region* region = regions.find(address);
    return region != nullptr && region->kind == RegionKind::Device;
}

// Carries the bytes and what is known of them. Reads and writes are checked whole before a byte moves.
void copy(uintptr_t to, uintptr_t from, size_t bytes)
{
    read_range(from, bytes, Demand::Any);
    write_range(to, bytes);
    copy_written(to, from, bytes);
    std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
}

// As on the GPU, memory of the host that is not pinned is staged: read at once, and written before the call returns.
CUresult queue_copy(Stream& stream, uintptr_t to, uintptr_t from, size_t bytes, bool from_device, bool to_device)
{
    if (bytes == 0)
    {
        return Success;
    }

    const std::string name = copy_name(from_device, to_device);
    const bool pageable_source = !from_device && regions.find(from) == nullptr;
    const bool pageable_target = !to_device && regions.find(to) == nullptr;
    if (stream.capture != nullptr && (pageable_source || pageable_target))
    {
        stream.capture->valid = false;
        return StreamCaptureUnsupported;
    }

    if (pageable_source)
    {
        std::vector<char> staged(reinterpret_cast<const char*>(from), reinterpret_cast<const char*>(from) + bytes);
        scheduler.queue(stream, name, [to, staged = std::move(staged)] {
            write_range(to, staged.size());
            std::memcpy(reinterpret_cast<void*>(to), staged.data(), staged.size());
        });
        return Success;
    }

    if (pageable_target)
    {
        scheduler.queue(stream, name, [=] {
            read_range(from, bytes, Demand::Written);
            std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
        });
        scheduler.synchronize(stream);
        return scheduler.error();
    }

    scheduler.queue(stream, name, [=] { copy(to, from, bytes); });
    return Success;
}

// As on the GPU, a copy of memory that is not pinned returns when it is staged: its last part may be on its way, and streams that do not
// follow the null stream do not wait for it. The host has waited for it once it has waited for the null stream, or for all.
CUresult stage_now(uintptr_t to, uintptr_t from, size_t bytes)
{
    return driver_call(Needs::NoCapture, [&] {
        Stream& stream = scheduler.null_stream();
        scheduler.synchronize(stream);
        const CUresult status = queue_copy(stream, to, from, bytes, false, true);
        scheduler.pass_time();
        return status != Success ? status : scheduler.error();
    });
}

CUresult copy_now(uintptr_t to, uintptr_t from, size_t bytes, bool from_device, bool to_device)
{
    return driver_call(Needs::NoCapture, [&] {
        Stream& stream = scheduler.null_stream();
        const CUresult status = queue_copy(stream, to, from, bytes, from_device, to_device);
        scheduler.synchronize(stream);
        return status != Success ? status : scheduler.error();
    });
}

template <typename T> CUresult queue_fill(CUstream stream, CUdeviceptr to, T value, size_t count)
{
    return with_stream(stream, [&](Stream& s) {
        if (to % sizeof(T) != 0)
        {
            return InvalidValue;
        }

        scheduler.queue(s, "fill", [=] {
            write_range(to, count * sizeof(T));
            T* at = reinterpret_cast<T*>(to);
            for (size_t i = 0; i < count; i++)
            {
                at[i] = value;
            }
        });
        return Success;
    });
}

uintptr_t address_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

} // namespace

DRIVER_API CUresult cuMemGetInfo_v2(size_t* free, size_t* total)
{
    return driver_call(Needs::Context, [&] {
        *free = static_cast<size_t>(driver.free_memory());
        *total = static_cast<size_t>(options.total_memory);
        return Success;
    });
}

DRIVER_API CUresult cuMemAlloc_v2(CUdeviceptr* pointer, size_t bytes)
{
    return driver_call(Needs::NoCapture, [&] {
        if (bytes == 0)
        {
            return InvalidValue;
        }

        const bool fits = bytes <= static_cast<size_t>(driver.free_memory());
        const Region* region = fits ? regions.allocate(bytes, RegionKind::Device) : nullptr;
        if (region == nullptr)
        {
            return OutOfMemory;
        }

        *pointer = region->begin;
        return Success;
    });
}

DRIVER_API CUresult cuMemFree_v2(CUdeviceptr pointer)
{
    return driver_call(Needs::NoCapture, [&] {
        if (pointer == 0)
        {
            return Success;
        }

        scheduler.synchronize_all();
        return !regions.remove(pointer, RegionKind::Device) ? InvalidValue : scheduler.error();
    });
}

DRIVER_API CUresult cuMemHostAlloc(void** pointer, size_t bytes, unsigned)
{
    return driver_call(Needs::NoCapture, [&] {
        const bool fits = bytes > 0 && static_cast<int64_t>(bytes) <= options.pinned_limit - pinned_bytes();
        const Region* region = fits ? regions.allocate(bytes, RegionKind::Host) : nullptr;
        if (region == nullptr)
        {
            return bytes == 0 ? InvalidValue : OutOfMemory;
        }

        *pointer = reinterpret_cast<void*>(region->begin);
        return Success;
    });
}

DRIVER_API CUresult cuMemFreeHost(void* pointer)
{
    return driver_call(Needs::NoCapture, [&] {
        scheduler.synchronize_all();
        return !regions.remove(address_of(pointer), RegionKind::Host) ? InvalidValue : scheduler.error();
    });
}

DRIVER_API CUresult cuMemHostRegister_v2(void* pointer, size_t bytes, unsigned)
{
    return driver_call(Needs::NoCapture, [&] {
        if (pointer == nullptr || bytes == 0)
        {
            return InvalidValue;
        }

        if (regions.overlaps(address_of(pointer), bytes))
        {
            return HostMemoryAlreadyRegistered;
        }

        if (options.host_registration == 0 || static_cast<int64_t>(bytes) > options.pinned_limit - pinned_bytes())
        {
            return OutOfMemory;
        }

        return regions.add_registered(address_of(pointer), bytes) == nullptr ? OutOfMemory : Success;
    });
}

DRIVER_API CUresult cuMemHostUnregister(void* pointer)
{
    return driver_call(Needs::NoCapture, [&] {
        scheduler.synchronize_all();
        return !regions.remove(address_of(pointer), RegionKind::RegisteredHost) ? HostMemoryNotRegistered : scheduler.error();
    });
}

DRIVER_API CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* pointer, void* host, unsigned)
{
    return driver_call(Needs::Context, [&] {
        const Region* region = regions.find(address_of(host));
        if (region == nullptr || region->kind == RegionKind::Device)
        {
            return InvalidValue;
        }

        *pointer = address_of(host);
        return Success;
    });
}

DRIVER_API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream)
{
    return with_stream(stream, [&](Stream& s) { return queue_copy(s, to, address_of(from), bytes, false, true); });
}

DRIVER_API CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    return with_stream(stream, [&](Stream& s) { return queue_copy(s, address_of(to), from, bytes, true, false); });
}

DRIVER_API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    return with_stream(stream, [&](Stream& s) { return queue_copy(s, to, from, bytes, true, true); });
}

DRIVER_API CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    return with_stream(stream, [&](Stream& s) { return queue_copy(s, to, from, bytes, on_device(from), on_device(to)); });
}

DRIVER_API CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes)
{
    const bool pageable = regions.find(address_of(from)) == nullptr;
    return pageable ? stage_now(to, address_of(from), bytes) : copy_now(to, address_of(from), bytes, false, true);
}

DRIVER_API CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) { return copy_now(address_of(to), from, bytes, true, false); }

DRIVER_API CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) { return copy_now(to, from, bytes, true, true); }

DRIVER_API CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream)
{
    return queue_fill(stream, to, value, count);
}

DRIVER_API CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream)
{
    return queue_fill(stream, to, value, count);
}
