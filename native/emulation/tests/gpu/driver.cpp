// The driver's functions that the kernels' tests call, led to the real driver: with this in the place of libdataflow-emulation the very
// tests that run on the emulated device run on a GPU, on the kernels compiled for it.
//
// What the emulation finds by itself is looked for here as far as a GPU allows: memory that was not written holds NaN, and each allocation
// has a guard zone behind it, which is looked at when it is freed.
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "dataflow_emulation.h"

namespace
{

typedef unsigned long long Address;

constexpr int NotFound = 301; // CUDA_ERROR_FILE_NOT_FOUND
constexpr size_t Guard = 4096;
constexpr unsigned char Unwritten = 0xff; // NaN as float and as bf16, -1 as an integer
constexpr unsigned char GuardByte = 0xa5;

std::map<Address, size_t> s_lengths;
std::map<std::string, void*> s_modules;

[[noreturn]] void give_up(const std::string& why)
{
    std::printf("error: %s\n", why.c_str());
    std::fflush(stdout);
    std::_Exit(1);
}

void* library()
{
    static void* const loaded = [] {
        // DATAFLOW_TEST_DRIVER: the driver's file where the system does not know it, or another library that plays the driver.
        const char* named = std::getenv("DATAFLOW_TEST_DRIVER");
        void* handle = dlopen(named == nullptr ? "libcuda.so.1" : named, RTLD_NOW);
        return handle != nullptr ? handle : (give_up(std::string("there is no NVIDIA driver: ") + dlerror()), nullptr);
    }();
    return loaded;
}

// The emulation in the driver's place: it has its own images, guard zones, and rules on what may be read.
bool is_emulated()
{
    static const bool emulated = dlsym(library(), "dataflowEmulationLastError") != nullptr;
    return emulated;
}

template <typename... T> int call(const char* name, T... arguments)
{
    void* const function = dlsym(library(), name);
    if (function == nullptr)
    {
        give_up(std::string("the driver has no ") + name + ": one for CUDA 12.4 or newer is needed");
    }

    return reinterpret_cast<int (*)(T...)>(function)(arguments...);
}

// artifacts, in which this program is in emulation/tests.
std::string artifacts()
{
    const std::string self = []() {
        char* path = realpath("/proc/self/exe", nullptr);
        std::string text = path == nullptr ? "" : path;
        std::free(path);
        return text;
    }();
    std::string folder = self;
    for (int up = 0; up < 3; up++)
    {
        folder = folder.substr(0, folder.rfind('/'));
    }

    return folder;
}

bool exists(const std::string& path)
{
    std::FILE* file = std::fopen(path.c_str(), "rb");
    return file != nullptr && std::fclose(file) == 0;
}

// Machine code of the GPU, else of an older one of its major version, else PTX: as KernelTarget.For orders them.
std::string image(const std::string& kernel)
{
    int device = 0, major = 0, minor = 0;
    call("cuDeviceGet", &device, 0);
    call("cuDeviceGetAttribute", &major, 75, device);
    call("cuDeviceGetAttribute", &minor, 76, device);
    const std::string folder = artifacts() + "/kernels/";
    std::vector<std::string> candidates = {folder + "sm_" + std::to_string(major) + std::to_string(minor) + "a/" + kernel + ".cubin"};
    for (int m = minor; m >= 0; m--)
    {
        candidates.push_back(folder + "sm_" + std::to_string(major) + std::to_string(m) + "/" + kernel + ".cubin");
    }

    candidates.push_back(folder + "compute_80/" + kernel + ".ptx");
    for (const std::string& candidate : candidates)
    {
        if (exists(candidate))
        {
            return candidate;
        }
    }

    return "";
}

void look_at_guard(Address address, size_t length)
{
    unsigned char guard[Guard];
    call("cuMemcpyDtoH_v2", static_cast<void*>(guard), address + length, sizeof(guard));
    for (size_t i = 0; i < Guard; i++)
    {
        if (guard[i] != GuardByte)
        {
            give_up("a kernel wrote byte " + std::to_string(length + i) + " of an allocation of " + std::to_string(length));
        }
    }
}

} // namespace

#pragma GCC visibility push(default)

extern "C"
{
    int cuInit(unsigned flags) { return call("cuInit", flags); }
    int cuDevicePrimaryCtxRetain(void** context, int device) { return call("cuDevicePrimaryCtxRetain", context, device); }
    int cuDeviceGetAttribute(int* value, int attribute, int device) { return call("cuDeviceGetAttribute", value, attribute, device); }
    int cuCtxSetCurrent(void* context) { return call("cuCtxSetCurrent", context); }
    int cuCtxSynchronize() { return call("cuCtxSynchronize"); }
    int cuStreamSynchronize(void* stream) { return call("cuStreamSynchronize", stream); }
    int cuMemcpyHtoD_v2(Address to, const void* from, size_t bytes) { return call("cuMemcpyHtoD_v2", to, from, bytes); }
    int cuMemcpyDtoH_v2(void* to, Address from, size_t bytes) { return call("cuMemcpyDtoH_v2", to, from, bytes); }
    int cuModuleGetFunction(void** function, void* module, const char* name) { return call("cuModuleGetFunction", function, module, name); }
    int cuFuncSetAttribute(void* function, int attribute, int value) { return call("cuFuncSetAttribute", function, attribute, value); }
    int cuGetErrorString(int status, const char** text) { return call("cuGetErrorString", status, text); }

    int cuFuncGetParamInfo(void* function, size_t index, size_t* offset, size_t* bytes)
    {
        return call("cuFuncGetParamInfo", function, index, offset, bytes);
    }

    int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
        void* stream, void** parameters, void** extra)
    {
        return call("cuLaunchKernel", function, gx, gy, gz, bx, by, bz, shared, stream, parameters, extra);
    }

    int cuMemAlloc_v2(Address* address, size_t bytes)
    {
        const bool guarded = !is_emulated();
        const int status = call("cuMemAlloc_v2", address, guarded ? bytes + Guard : bytes);
        if (status == 0 && guarded)
        {
            call("cuMemsetD8_v2", *address, Unwritten, bytes);
            call("cuMemsetD8_v2", *address + bytes, GuardByte, Guard);
            s_lengths[*address] = bytes;
        }

        return status;
    }

    int cuMemFree_v2(Address address)
    {
        const auto found = s_lengths.find(address);
        if (found != s_lengths.end())
        {
            look_at_guard(address, found->second);
            s_lengths.erase(found);
        }

        return call("cuMemFree_v2", address);
    }

    int cuModuleLoad(void** module, const char* path)
    {
        // The tests name the emulation's image: <kernel>.so.
        std::string kernel = path;
        kernel = kernel.substr(kernel.rfind('/') + 1);
        kernel = kernel.substr(0, kernel.rfind('.'));
        void*& loaded = s_modules[kernel];
        if (loaded == nullptr)
        {
            const std::string file = is_emulated() ? path : image(kernel);
            const int status = file.empty() ? NotFound : call("cuModuleLoad", &loaded, file.c_str());
            if (status != 0)
            {
                return status;
            }
        }

        *module = loaded;
        return 0;
    }

    const char* dataflowEmulationLastError() { return ""; }
    void dataflowEmulationClearError() {}
    void dataflowEmulationSeed(uint64_t) {}
}

#pragma GCC visibility pop
