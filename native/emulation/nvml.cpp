// NVML as far as we use it: one device, this process, and perhaps another one that takes memory.
#include <cstdio>
#include <cstring>
#include <unistd.h>

#include "driver.h"
#include "options.h"
#include "regions.h"

#define NVML_API extern "C" __attribute__((visibility("default")))

using namespace emulation;

namespace
{

typedef int NvmlStatus;
constexpr NvmlStatus NvmlSuccess = 0;
constexpr NvmlStatus NvmlUninitialized = 1;
constexpr NvmlStatus NvmlInvalidArgument = 2;
constexpr NvmlStatus NvmlNotFound = 6;
constexpr NvmlStatus NvmlInsufficientSize = 7;
constexpr NvmlStatus NvmlDriverNotLoaded = 9;

struct NvmlMemory
{
    unsigned long long total, free, used;
};

struct NvmlMemory2
{
    unsigned version;
    unsigned long long total, reserved, free, used;
};

struct NvmlProcess
{
    unsigned process;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
};

constexpr unsigned Memory2Version = sizeof(NvmlMemory2) | 2 << 24;
const char* const PciBusId = "0000:00:00.0";

int s_references = 0;
int s_device; // its address is the handle

// What the driver keeps for itself; not part of any process's memory.
constexpr unsigned long long Reserved = 0;

template <typename Body> NvmlStatus nvml_call(Body body)
{
    std::lock_guard<std::recursive_mutex> lock(driver.mutex);
    return s_references == 0 ? NvmlUninitialized : body();
}

template <typename Body> NvmlStatus nvml_device(const void* device, Body body)
{
    return nvml_call([&] { return device == &s_device && options.device_count > 0 ? body() : NvmlInvalidArgument; });
}

NvmlStatus find_device(bool found, void** device)
{
    *device = &s_device;
    return found && options.device_count > 0 ? NvmlSuccess : NvmlNotFound;
}

unsigned long long own_memory()
{
    return driver.context_references == 0 ? 0
                                          : static_cast<unsigned long long>(options.context_memory) + regions.bytes_of(RegionKind::Device);
}

} // namespace

NVML_API NvmlStatus nvmlInit_v2()
{
    std::lock_guard<std::recursive_mutex> lock(driver.mutex);
    if (options.nvml == 0)
    {
        return NvmlDriverNotLoaded;
    }

    s_references++;
    return NvmlSuccess;
}

NVML_API NvmlStatus nvmlShutdown()
{
    return nvml_call([] {
        s_references--;
        return NvmlSuccess;
    });
}

NVML_API const char* nvmlErrorString(NvmlStatus status)
{
    switch (status)
    {
    case NvmlSuccess: return "Success";
    case NvmlUninitialized: return "Uninitialized";
    case NvmlInvalidArgument: return "Invalid Argument";
    case NvmlNotFound: return "Not Found";
    case NvmlInsufficientSize: return "Insufficient Size";
    case NvmlDriverNotLoaded: return "Driver Not Loaded";
    default: return "Unknown Error";
    }
}

NVML_API NvmlStatus nvmlSystemGetDriverVersion(char* version, unsigned length)
{
    return nvml_call(
        [&] { return std::snprintf(version, length, "550.0.emulated") < static_cast<int>(length) ? NvmlSuccess : NvmlInsufficientSize; });
}

NVML_API NvmlStatus nvmlDeviceGetCount_v2(unsigned* count)
{
    return nvml_call([&] {
        *count = static_cast<unsigned>(options.device_count);
        return NvmlSuccess;
    });
}

NVML_API NvmlStatus nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device)
{
    return nvml_call([&] { return find_device(index == 0, device); });
}

NVML_API NvmlStatus nvmlDeviceGetHandleByPciBusId_v2(const char* id, void** device)
{
    // NVML itself writes eight digits for the domain and takes four too.
    return nvml_call([&] { return find_device(std::strlen(id) >= 12 && std::strcmp(id + std::strlen(id) - 12, PciBusId) == 0, device); });
}

NVML_API NvmlStatus nvmlDeviceGetHandleByUUID(const char* uuid, void** device)
{
    return nvml_call([&] { return find_device(std::strcmp(uuid, "GPU-00000000-0000-0000-0000-000000000001") == 0, device); });
}

NVML_API NvmlStatus nvmlDeviceGetName(void* device, char* name, unsigned length)
{
    return nvml_device(device,
        [&] { return std::snprintf(name, length, "Emulated GPU") < static_cast<int>(length) ? NvmlSuccess : NvmlInsufficientSize; });
}

NVML_API NvmlStatus nvmlDeviceGetMemoryInfo(void* device, NvmlMemory* memory)
{
    return nvml_device(device, [&] {
        const auto total = static_cast<unsigned long long>(options.total_memory);
        const auto free = static_cast<unsigned long long>(driver.free_memory());
        *memory = {total, free, total - free};
        return NvmlSuccess;
    });
}

NVML_API NvmlStatus nvmlDeviceGetMemoryInfo_v2(void* device, NvmlMemory2* memory)
{
    return nvml_device(device, [&] {
        if (memory->version != Memory2Version)
        {
            return NvmlInvalidArgument;
        }

        const auto total = static_cast<unsigned long long>(options.total_memory);
        const auto free = static_cast<unsigned long long>(driver.free_memory());
        *memory = {Memory2Version, total, Reserved, free, total - free - Reserved};
        return NvmlSuccess;
    });
}

NVML_API NvmlStatus nvmlDeviceGetComputeRunningProcesses_v3(void* device, unsigned* count, NvmlProcess* processes)
{
    return nvml_device(device, [&] {
        constexpr unsigned NoInstance = 0xffffffff;
        NvmlProcess all[2];
        unsigned found = 0;
        if (own_memory() > 0)
        {
            all[found++] = {static_cast<unsigned>(getpid()), own_memory(), NoInstance, NoInstance};
        }

        if (options.others_memory > 0)
        {
            all[found++] = {1, static_cast<unsigned long long>(options.others_memory), NoInstance, NoInstance};
        }

        const bool fits = found <= *count && (processes != nullptr || found == 0);
        if (fits)
        {
            std::memcpy(processes, all, found * sizeof(NvmlProcess));
        }

        *count = found;
        return fits ? NvmlSuccess : NvmlInsufficientSize;
    });
}

namespace
{

NvmlStatus answer(const void* device, unsigned* to, unsigned value)
{
    return nvml_device(device, [&] {
        *to = value;
        return NvmlSuccess;
    });
}

} // namespace

NVML_API NvmlStatus nvmlDeviceGetClockInfo(void* device, int, unsigned* megahertz) { return answer(device, megahertz, 1000); }

NVML_API NvmlStatus nvmlDeviceGetMaxClockInfo(void* device, int, unsigned* megahertz) { return answer(device, megahertz, 1000); }

NVML_API NvmlStatus nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts) { return answer(device, milliwatts, 100000); }

NVML_API NvmlStatus nvmlDeviceGetEnforcedPowerLimit(void* device, unsigned* milliwatts) { return answer(device, milliwatts, 300000); }
