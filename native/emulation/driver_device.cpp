// Initialisation, the device and its context.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "driver.h"
#include "options.h"
#include "regions.h"

namespace emulation
{

DriverState& driver = *new DriverState();
thread_local bool context_is_current = false;

void DriverState::destroy_context()
{
    executables.clear();
    graphs.clear();
    captures.clear();
    scheduler.reset();
    events.clear();
    modules.clear();
    regions.remove_all();
    context_references = 0;
}

bool DriverState::spoils_capture()
{
    bool forbidden = false;
    for (auto& capture : captures)
    {
        const bool by_this = capture->forbids_waiting();
        capture->valid = capture->valid && !by_this;
        forbidden = forbidden || by_this;
    }

    return forbidden;
}

int64_t DriverState::free_memory() const
{
    const int64_t used = options.others_memory + (context_references > 0 ? options.context_memory : 0) +
        static_cast<int64_t>(regions.bytes_of(RegionKind::Device));
    return std::max<int64_t>(0, options.total_memory - used);
}

namespace
{

const CUcontext PrimaryContext = reinterpret_cast<CUcontext>(0xda7af10);

struct Attribute
{
    int number;
    int64_t value;
};

// Numbers as in the driver's CUdevice_attribute; values of a GPU of compute capability 9.0, but for its size.
int64_t attribute(int number)
{
    const Attribute all[] = {
        {1, 1024}, {2, 1024}, {3, 1024}, {4, 64},        // threads of a block, and by dimension
        {5, 0x7fffffff}, {6, 65535}, {7, 65535},         // grid
        {8, 48 * 1024}, {9, 64 * 1024}, {10, 32}, {12, 65536}, // shared memory of a block, constants, warp, registers of a block
        {13, 1000000}, {15, 1}, {16, options.multiprocessors}, {17, 0}, {18, 0}, {19, 1}, {20, 0}, {31, 1}, {32, 0},
        {33, 0}, {34, 0}, {35, 0},                        // PCI bus and device, TCC
        {36, 1000000}, {37, 256}, {38, 4 << 20}, {39, 2048}, {40, 2}, {41, 1}, {50, 0}, // memory, caches, copy engines, unified addresses
        {75, options.capability / 10}, {76, options.capability % 10}, // compute capability
        {78, 1}, {81, 228 * 1024}, {82, 65536}, {83, 0}, {86, 0}, {88, 0}, {91, 1}, {95, 0},
        {97, options.shared_memory_per_block}, {115, 0},
    };
    for (const Attribute& known : all)
    {
        if (known.number == number)
        {
            return known.value;
        }
    }

    return -1;
}

template <typename Body> CUresult with_device(CUdevice device, Body body)
{
    return driver_call(Needs::Driver, [&] { return device >= 0 && device < options.device_count ? body() : InvalidDevice; });
}

void copy_text(char* to, int length, const char* text)
{
    if (length > 0)
    {
        std::snprintf(to, static_cast<size_t>(length), "%s", text);
    }
}

} // namespace

} // namespace emulation

using namespace emulation;

DRIVER_API CUresult cuInit(unsigned flags)
{
    return driver_call(Needs::Nothing, [&] {
        driver.initialized = flags == 0 && options.device_count > 0;
        return flags != 0 ? InvalidValue : driver.initialized ? Success : NoDevice;
    });
}

DRIVER_API CUresult cuDriverGetVersion(int* version)
{
    *version = static_cast<int>(options.driver_version);
    return Success;
}

DRIVER_API CUresult cuDeviceGetCount(int* count)
{
    return driver_call(Needs::Driver, [&] {
        *count = static_cast<int>(options.device_count);
        return Success;
    });
}

DRIVER_API CUresult cuDeviceGet(CUdevice* device, int ordinal)
{
    return with_device(ordinal, [&] {
        *device = ordinal;
        return Success;
    });
}

DRIVER_API CUresult cuDeviceGetName(char* name, int length, CUdevice device)
{
    return with_device(device, [&] {
        copy_text(name, length, "Emulated GPU");
        return Success;
    });
}

DRIVER_API CUresult cuDeviceGetAttribute(int* value, int number, CUdevice device)
{
    return with_device(device, [&] {
        const int64_t found = attribute(number);
        *value = static_cast<int>(found);
        return found < 0 ? InvalidValue : Success;
    });
}

DRIVER_API CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device)
{
    return with_device(device, [&] {
        *bytes = static_cast<size_t>(options.total_memory);
        return Success;
    });
}

DRIVER_API CUresult cuDeviceGetUuid(unsigned char* uuid, CUdevice device)
{
    return with_device(device, [&] {
        std::memset(uuid, 0, 16);
        uuid[15] = static_cast<unsigned char>(device + 1);
        return Success;
    });
}

DRIVER_API CUresult cuDeviceGetUuid_v2(unsigned char* uuid, CUdevice device) { return cuDeviceGetUuid(uuid, device); }

DRIVER_API CUresult cuDeviceGetPCIBusId(char* id, int length, CUdevice device)
{
    return with_device(device, [&] {
        copy_text(id, length, "0000:00:00.0");
        return Success;
    });
}

DRIVER_API CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device)
{
    return with_device(device, [&] {
        if (driver.context_references == 0 && driver.free_memory() < options.context_memory)
        {
            return OutOfMemory;
        }

        driver.context_references++;
        *context = PrimaryContext;
        return Success;
    });
}

DRIVER_API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    return with_device(device, [&] {
        if (driver.context_references == 0)
        {
            return InvalidContext;
        }

        if (driver.context_references == 1)
        {
            scheduler.synchronize_all();
            driver.destroy_context();
        }
        else
        {
            driver.context_references--;
        }

        return Success;
    });
}

DRIVER_API CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned)
{
    constexpr CUresult PrimaryContextActive = 708;
    return with_device(device, [] { return driver.context_references > 0 ? PrimaryContextActive : Success; });
}

DRIVER_API CUresult cuDevicePrimaryCtxReset_v2(CUdevice device)
{
    return with_device(device, [&] {
        const int references = driver.context_references;
        driver.destroy_context();
        driver.context_references = references;
        return Success;
    });
}

DRIVER_API CUresult cuCtxSetCurrent(CUcontext context)
{
    return driver_call(Needs::Driver, [&] {
        if (context != nullptr && (context != PrimaryContext || driver.context_references == 0))
        {
            return InvalidContext;
        }

        context_is_current = context != nullptr;
        return Success;
    });
}

DRIVER_API CUresult cuCtxGetCurrent(CUcontext* context)
{
    return driver_call(Needs::Driver, [&] {
        *context = context_is_current && driver.context_references > 0 ? PrimaryContext : nullptr;
        return Success;
    });
}

DRIVER_API CUresult cuCtxGetDevice(CUdevice* device)
{
    return driver_call(Needs::Context, [&] {
        *device = 0;
        return Success;
    });
}

DRIVER_API CUresult cuCtxSynchronize()
{
    return driver_call(Needs::NoCapture, [&] {
        scheduler.synchronize_all();
        return scheduler.error();
    });
}

DRIVER_API CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest)
{
    return driver_call(Needs::Context, [&] {
        *least = 0;
        *greatest = -5;
        return Success;
    });
}

DRIVER_API CUresult cuProfilerStart()
{
    return driver_call(Needs::Context, [] { return Success; });
}

DRIVER_API CUresult cuProfilerStop()
{
    return driver_call(Needs::Context, [] { return Success; });
}

namespace
{

struct StatusText
{
    CUresult status;
    const char* name;
    const char* text;
};

const StatusText s_statuses[] = {
    {Success, "CUDA_SUCCESS", "no error"},
    {InvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {InvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {InvalidImage, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {InvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {FileNotFound, "CUDA_ERROR_FILE_NOT_FOUND", "file not found"},
    {SharedObjectInitFailed, "CUDA_ERROR_SHARED_OBJECT_INIT_FAILED", "shared object initialization failed"},
    {InvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {HostMemoryAlreadyRegistered, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
        "part or all of the requested memory range is already mapped"},
    {HostMemoryNotRegistered, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "pointer does not correspond to a registered memory region"},
    {716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {NotSupported, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {StreamCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {StreamCaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
    {StreamCaptureMerge, "CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would result in a merge of separate capture sequences"},
    {StreamCaptureUnmatched, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"},
    {StreamCaptureUnjoined, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"},
    {StreamCaptureIsolation, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
    {StreamCaptureImplicit, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT",
        "operation would make the legacy stream depend on a capturing blocking stream"},
    {CapturedEvent, "CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"},
    {StreamCaptureWrongThread, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD",
        "attempt to terminate a thread-local capture sequence from another thread"},
};

} // namespace

DRIVER_API CUresult cuGetErrorName(CUresult status, const char** name)
{
    for (const StatusText& known : s_statuses)
    {
        if (known.status == status)
        {
            *name = known.name;
            return Success;
        }
    }

    *name = nullptr;
    return InvalidValue;
}

// The text of a finding stands for that of its status, so that it reaches whoever reports the error.
DRIVER_API CUresult cuGetErrorString(CUresult status, const char** text)
{
    for (const StatusText& known : s_statuses)
    {
        if (known.status == status)
        {
            *text = status != Success && status == scheduler.error() ? interned(scheduler.error_text())->c_str() : known.text;
            return Success;
        }
    }

    *text = nullptr;
    return InvalidValue;
}
