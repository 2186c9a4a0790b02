// Calls kernels from a small C++ program: see "A kernel by itself" in the README. Link with -ldataflow-emulation.
//
//     emulation::Kernel kernel("artifacts/emulation/rms_norm.so", "rms_norm_forward_f32");
//     emulation::Array<float> x(values), y(values.size());
//     kernel.run({rows}, {256}, 0, x.device(), y.device(), int64_t{columns});   // throws std::runtime_error
//     std::vector<float> result = y.host();
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "dataflow_emulation.h"

extern "C"
{
    int cuInit(unsigned);
    int cuDevicePrimaryCtxRetain(void**, int);
    int cuDeviceGetAttribute(int*, int, int);
    int cuCtxSetCurrent(void*);
    int cuCtxSynchronize();
    int cuStreamSynchronize(void*);
    int cuMemAlloc_v2(unsigned long long*, size_t);
    int cuMemFree_v2(unsigned long long);
    int cuMemcpyHtoD_v2(unsigned long long, const void*, size_t);
    int cuMemcpyDtoH_v2(void*, unsigned long long, size_t);
    int cuModuleLoad(void**, const char*);
    int cuModuleGetFunction(void**, void*, const char*);
    int cuFuncSetAttribute(void*, int, int);
    int cuFuncGetParamInfo(void*, size_t, size_t*, size_t*);
    int cuLaunchKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
    int cuGetErrorString(int, const char**);
}

namespace emulation
{

// Throws the text of an error, which is then over: the next call starts afresh.
inline void check_status(int status, const char* what)
{
    if (status == 0)
    {
        return;
    }

    const char* text = nullptr;
    cuGetErrorString(status, &text);
    const std::string message = std::string(dataflowEmulationLastError()).empty()
                                    ? std::string(what) + ": " + (text == nullptr ? "error" : text) + "."
                                    : dataflowEmulationLastError();
    dataflowEmulationClearError();
    throw std::runtime_error(message);
}

inline void use_device()
{
    static void* const context = [] {
        void* made = nullptr;
        check_status(cuInit(0), "cuInit");
        check_status(cuDevicePrimaryCtxRetain(&made, 0), "cuDevicePrimaryCtxRetain");
        return made;
    }();
    check_status(cuCtxSetCurrent(context), "cuCtxSetCurrent");
}

// The most shared memory that a block may have by opting in, in bytes.
inline int shared_memory_per_block()
{
    constexpr int MaxSharedOptIn = 97;
    use_device();
    int bytes = 0;
    check_status(cuDeviceGetAttribute(&bytes, MaxSharedOptIn, 0), "cuDeviceGetAttribute");
    return bytes;
}

// Memory of the device. Without values, nothing in it is written: reading it is a fault.
template <typename T> class Array
{
public:
    explicit Array(size_t count) : _count(count)
    {
        use_device();
        check_status(cuMemAlloc_v2(&_address, count * sizeof(T)), "cuMemAlloc");
    }

    explicit Array(const std::vector<T>& values) : Array(values.size())
    {
        check_status(cuMemcpyHtoD_v2(_address, values.data(), values.size() * sizeof(T)), "cuMemcpyHtoD");
        check_status(cuStreamSynchronize(nullptr), "cuStreamSynchronize"); // the copy may have returned before it arrived
    }

    ~Array() { cuMemFree_v2(_address); }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;

    T* device() const { return reinterpret_cast<T*>(_address); }

    // Throws where an element was never written.
    std::vector<T> host() const
    {
        std::vector<T> values(_count);
        check_status(cuMemcpyDtoH_v2(values.data(), _address, _count * sizeof(T)), "cuMemcpyDtoH");
        return values;
    }

private:
    size_t _count;
    unsigned long long _address = 0;
};

class Kernel
{
public:
    Kernel(const std::string& file, const std::string& name)
    {
        use_device();
        void* module = nullptr;
        check_status(cuModuleLoad(&module, file.c_str()), file.c_str());
        check_status(cuModuleGetFunction(&_function, module, name.c_str()), name.c_str());
    }

    // Arguments must have exactly the kernel's parameter types.
    template <typename... T> void run(
        std::initializer_list<uint32_t> grid, std::initializer_list<uint32_t> block, uint32_t dynamic_shared_bytes, T... arguments) const
    {
        dataflowEmulationSeed(seed);
        launch(nullptr, grid, block, dynamic_shared_bytes, arguments...);
        check_status(cuCtxSynchronize(), "cuCtxSynchronize");
    }

    // The same on a stream, without waiting.
    template <typename... T>
    void launch(void* stream, std::initializer_list<uint32_t> grid, std::initializer_list<uint32_t> block, uint32_t dynamic_shared_bytes,
        T... arguments) const
    {
        uint32_t dimensions[2][3] = {{1, 1, 1}, {1, 1, 1}};
        std::memcpy(dimensions[0], grid.begin(), grid.size() * sizeof(uint32_t));
        std::memcpy(dimensions[1], block.begin(), block.size() * sizeof(uint32_t));
        void* parameters[] = {&arguments..., nullptr};
        check_sizes({sizeof(T)...});
        constexpr int MaxDynamicShared = 8;
        check_status(cuFuncSetAttribute(_function, MaxDynamicShared, static_cast<int>(dynamic_shared_bytes)), "cuFuncSetAttribute");
        check_status(cuLaunchKernel(_function, dimensions[0][0], dimensions[0][1], dimensions[0][2], dimensions[1][0], dimensions[1][1],
            dimensions[1][2], dynamic_shared_bytes, stream, parameters, nullptr), "cuLaunchKernel");
    }

    uint64_t seed = 1; // of the order in which threads run

private:
    void check_sizes(std::initializer_list<size_t> sizes) const
    {
        size_t index = 0, offset, bytes;
        for (size_t size : sizes)
        {
            if (cuFuncGetParamInfo(_function, index++, &offset, &bytes) != 0 || bytes != size)
            {
                throw std::runtime_error(
                    "Argument " + std::to_string(index) + " does not have the size of the kernel's parameter, or is one too many.");
            }
        }

        if (cuFuncGetParamInfo(_function, index, &offset, &bytes) == 0)
        {
            throw std::runtime_error("The kernel has more than " + std::to_string(index) + " parameters.");
        }
    }

    void* _function = nullptr;
};

} // namespace emulation
