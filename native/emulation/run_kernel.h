// Calls kernels from a small C++ program: see "A kernel by itself" in the README. Link with -ldataflow-emulation.
//
//     emulation::Kernel kernel("artifacts/emulation/rms_norm.so", "rms_norm_forward_f32");
//     emulation::Array<float> x(values), y(values.size());
//     kernel.run({rows}, {256}, 0, x.device(), y.device(), int64_t{columns});   // throws std::runtime_error
//     std::vector<float> result = y.host();
#pragma once

#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernel_interface.h"

extern "C" int dataflowEmulationRun(const EmulationKernel* kernel, const uint32_t* grid, const uint32_t* block, uint32_t dynamic_shared_bytes,
    void** parameters, uint64_t seed);
extern "C" const char* dataflowEmulationLastError();

namespace emulation
{

// Memory of the device, aligned to 256 bytes.
template <typename T> class Array
{
public:
    explicit Array(size_t count) : _count(count), _memory(static_cast<T*>(std::aligned_alloc(256, bytes()))) {
        std::memset(_memory.get(), 0xff, bytes());
    }

    explicit Array(const std::vector<T>& values) : Array(values.size()) { std::memcpy(_memory.get(), values.data(), values.size() * sizeof(T)); }

    T* device() { return _memory.get(); }

    std::vector<T> host() const { return std::vector<T>(_memory.get(), _memory.get() + _count); }

private:
    struct Free
    {
        void operator()(T* memory) const { std::free(memory); }
    };

    size_t bytes() const { return (_count * sizeof(T) + 255) / 256 * 256 + 256; }

    size_t _count;
    std::unique_ptr<T, Free> _memory;
};

class Kernel
{
public:
    Kernel(const std::string& file, const std::string& name)
    {
        void* module = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (module == nullptr)
        {
            throw std::runtime_error(dlerror());
        }

        _kernel = static_cast<const EmulationKernel*>(dlsym(module, ("emulation_kernel_" + name).c_str()));
        if (_kernel == nullptr)
        {
            throw std::runtime_error(file + " exports no kernel '" + name + "'.");
        }
    }

    // Arguments must have exactly the kernel's parameter types.
    template <typename... T>
    void run(std::initializer_list<uint32_t> grid, std::initializer_list<uint32_t> block, uint32_t dynamic_shared_bytes, T... arguments) const
    {
        const uint32_t sizes[] = {sizeof(T)...};
        if (sizeof...(T) != _kernel->parameters || std::memcmp(sizes, _kernel->sizes, sizeof(sizes)) != 0)
        {
            throw std::runtime_error(std::string("The arguments for kernel '") + _kernel->name + "' differ from its parameters in number or size.");
        }

        uint32_t dimensions[2][3] = {{1, 1, 1}, {1, 1, 1}};
        std::memcpy(dimensions[0], grid.begin(), grid.size() * sizeof(uint32_t));
        std::memcpy(dimensions[1], block.begin(), block.size() * sizeof(uint32_t));
        void* parameters[] = {&arguments...};
        if (dataflowEmulationRun(_kernel, dimensions[0], dimensions[1], dynamic_shared_bytes, parameters, seed) != 0)
        {
            throw std::runtime_error(dataflowEmulationLastError());
        }
    }

    uint64_t seed = 0; // of the order in which threads run

private:
    const EmulationKernel* _kernel;
};

} // namespace emulation
