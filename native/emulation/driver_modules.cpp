// Modules, functions and launches. A module is a file of kernels that g++ compiled: it stands for a cubin.
#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access_state.h"
#include "block_runtime.h"
#include "driver.h"
#include "options.h"

using namespace emulation;

namespace
{

struct Image
{
    const void* inside;
    uintptr_t begin;
    size_t bytes;
};

// The file in memory that an address lies in.
int find_image(dl_phdr_info* info, size_t, void* data)
{
    auto image = static_cast<Image*>(data);
    const auto inside = reinterpret_cast<uintptr_t>(image->inside);
    uintptr_t end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
    {
        if (info->dlpi_phdr[i].p_type == PT_LOAD)
        {
            end = std::max<uintptr_t>(end, info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz);
        }
    }

    if (inside < info->dlpi_addr || inside >= end)
    {
        return 0;
    }

    image->begin = info->dlpi_addr;
    image->bytes = end - info->dlpi_addr;
    return 1;
}

CUresult load(CUmodule* module, const char* file)
{
    void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
    {
        return access(file, R_OK) != 0 ? FileNotFound : InvalidImage;
    }

    driver.modules.push_back(std::make_unique<Module>());
    driver.modules.back()->library = library;
    *module = reinterpret_cast<CUmodule>(driver.modules.back().get());
    return Success;
}

Module* find(CUmodule handle)
{
    auto at =
        std::find_if(driver.modules.begin(), driver.modules.end(), [&](auto& m) { return reinterpret_cast<CUmodule>(m.get()) == handle; });
    return at == driver.modules.end() ? nullptr : at->get();
}

Function* find(CUfunction handle)
{
    for (auto& module : driver.modules)
    {
        for (auto& function : module->functions)
        {
            if (reinterpret_cast<CUfunction>(function.get()) == handle)
            {
                return function.get();
            }
        }
    }

    return nullptr;
}

// Bytes of an ELF image: its section headers stand last.
size_t image_bytes(const void* image)
{
    Elf64_Ehdr header;
    std::memcpy(&header, image, sizeof(header));
    return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 ? header.e_shoff + static_cast<size_t>(header.e_shentsize) * header.e_shnum
                                                             : 0;
}

uint32_t most_threads(const EmulationKernel& kernel)
{
    for (const uintptr_t* at = kernel.bounds_begin; at < kernel.bounds_end; at++)
    {
        if (*at < kernel.entry && kernel.entry - *at <= BlockRuntime::MaxThreads && std::none_of(kernel.bounds_begin, kernel.bounds_end,
            [&](uintptr_t other) { return other > *at && other <= kernel.entry; }))
        {
            return static_cast<uint32_t>(kernel.entry - *at);
        }
    }

    return BlockRuntime::MaxThreads;
}

enum FunctionAttribute
{
    MaxThreadsPerBlock = 0,
    SharedBytes = 1,
    BinaryVersion = 6,
    MaxDynamicSharedBytes = 8,
    PreferredCarveout = 9,
};

} // namespace

DRIVER_API CUresult cuModuleLoad(CUmodule* module, const char* file)
{
    return driver_call(Needs::NoCapture, [&] { return load(module, file); });
}

DRIVER_API CUresult cuModuleLoadData(CUmodule* module, const void* image)
{
    return driver_call(Needs::NoCapture, [&] {
        const size_t bytes = image == nullptr ? 0 : image_bytes(image);
        const int file = bytes == 0 ? -1 : memfd_create("kernels", MFD_CLOEXEC);
        if (file < 0)
        {
            return InvalidImage;
        }

        const bool written = write(file, image, bytes) == static_cast<ssize_t>(bytes);
        const CUresult status = written ? load(module, ("/proc/self/fd/" + std::to_string(file)).c_str()) : OutOfMemory;
        close(file);
        return status;
    });
}

DRIVER_API CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned, void*, void**)
{
    return cuModuleLoadData(module, image);
}

DRIVER_API CUresult cuModuleUnload(CUmodule module)
{
    return driver_call(Needs::NoCapture, [&] {
        if (find(module) == nullptr)
        {
            return InvalidHandle;
        }

        scheduler.synchronize_all();
        // The file stays in memory: another module may have the same one open.
        driver.modules.erase(std::find_if(driver.modules.begin(), driver.modules.end(),
            [&](auto& m) { return reinterpret_cast<CUmodule>(m.get()) == module; }));
        return scheduler.error();
    });
}

DRIVER_API CUresult cuModuleGetFunction(CUfunction* function, CUmodule handle, const char* name)
{
    return driver_call(Needs::Context, [&] {
        Module* module = find(handle);
        if (module == nullptr)
        {
            return InvalidHandle;
        }

        auto kernel = static_cast<const EmulationKernel*>(dlsym(module->library, (std::string("emulation_kernel_") + name).c_str()));
        if (kernel == nullptr)
        {
            return NotFound;
        }

        module->functions.push_back(std::make_unique<Function>());
        Function& made = *module->functions.back();
        made.kernel = kernel;
        made.most_threads = most_threads(*kernel);
        Image image{kernel, 0, 0};
        dl_iterate_phdr(find_image, &image);
        made.image_begin = image.begin;
        made.image_bytes = image.bytes;
        *function = reinterpret_cast<CUfunction>(&made);
        return Success;
    });
}

// Static shared memory is that of the whole file, which g++ does not tell apart by kernel.
DRIVER_API CUresult cuFuncGetAttribute(int* value, int attribute, CUfunction handle)
{
    return driver_call(Needs::Context, [&] {
        const Function* function = find(handle);
        if (function == nullptr)
        {
            return InvalidHandle;
        }

        switch (attribute)
        {
        case MaxThreadsPerBlock: *value = static_cast<int>(function->most_threads); return Success;
        case SharedBytes: *value = static_cast<int>(function->kernel->shared_end - function->kernel->shared_begin); return Success;
        case BinaryVersion: *value = 90; return Success;
        case MaxDynamicSharedBytes: *value = static_cast<int>(function->max_dynamic_shared); return Success;
        case 2: case 3: case 4: case 5: case PreferredCarveout: *value = 0; return Success;
        default: return InvalidValue;
        }
    });
}

// Size of a parameter, and its place if all were packed with their natural alignment. Past the last one the value is invalid.
DRIVER_API CUresult cuFuncGetParamInfo(CUfunction handle, size_t index, size_t* offset, size_t* bytes)
{
    return driver_call(Needs::Context, [&] {
        const Function* function = find(handle);
        if (function == nullptr)
        {
            return InvalidHandle;
        }

        const EmulationKernel& kernel = *function->kernel;
        if (index >= kernel.parameters)
        {
            return InvalidValue;
        }

        size_t at = 0;
        for (size_t i = 0; i <= index; i++)
        {
            const size_t size = kernel.sizes[i];
            at = (at + size - 1) / size * size;
            *offset = at;
            at += size;
        }

        if (bytes != nullptr)
        {
            *bytes = kernel.sizes[index];
        }

        return Success;
    });
}

DRIVER_API CUresult cuFuncSetAttribute(CUfunction handle, int attribute, int value)
{
    return driver_call(Needs::Context, [&] {
        Function* function = find(handle);
        if (function == nullptr)
        {
            return InvalidHandle;
        }

        if (attribute == PreferredCarveout)
        {
            return Success;
        }

        if (attribute != MaxDynamicSharedBytes || value < 0 || value > options.shared_memory_per_block)
        {
            return InvalidValue;
        }

        function->max_dynamic_shared = value;
        return Success;
    });
}

DRIVER_API CUresult cuLaunchKernel(CUfunction handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
    unsigned block_z, unsigned dynamic_shared_bytes, CUstream stream, void** parameters, void** extra)
{
    return with_stream(stream, [&](Stream& s) {
        const Function* function = find(handle);
        if (function == nullptr)
        {
            return InvalidHandle;
        }

        const EmulationKernel& kernel = *function->kernel;
        const bool block_fits = block_x - 1 < 1024 && block_y - 1 < 1024 && block_z - 1 < 64 &&
            static_cast<uint64_t>(block_x) * block_y * block_z <= function->most_threads;
        const bool grid_fits = grid_x - 1 < 0x7fffffff && grid_y - 1 < 65535 && grid_z - 1 < 65535;
        if (!block_fits || !grid_fits || dynamic_shared_bytes > function->max_dynamic_shared ||
            (parameters == nullptr && kernel.parameters > 0))
        {
            return InvalidValue;
        }

        if (extra != nullptr)
        {
            return NotSupported;
        }

        // The driver copies the parameters at once; 16 bytes each keep any type aligned.
        size_t bytes = 0;
        for (uint32_t i = 0; i < kernel.parameters; i++)
        {
            bytes += (kernel.sizes[i] + 15) / 16 * 16;
        }

        std::vector<EmulationUint4> values(bytes / 16);
        size_t at = 0;
        for (uint32_t i = 0; i < kernel.parameters; i++)
        {
            std::memcpy(&values[at], parameters[i], kernel.sizes[i]);
            at += (kernel.sizes[i] + 15) / 16;
        }

        const uint64_t seed = scheduler.next_seed();
        scheduler.queue(s, std::string("kernel '") + kernel.name + "'",
            [=, kernel = function->kernel, image_begin = function->image_begin, bytes = function->image_bytes,
                values = std::move(values)]() mutable
            {
                std::vector<void*> pointers;
                size_t place = 0;
                for (uint32_t i = 0; i < kernel->parameters; i++)
                {
                    pointers.push_back(&values[place]);
                    place += (kernel->sizes[i] + 15) / 16;
                }

                access_state.image_begin = image_begin;
                access_state.image_bytes = bytes;
                scheduler.kernels++;
                BlockRuntime::instance().run(
                    {kernel, pointers.data(), {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, dynamic_shared_bytes}, seed);
            });
        return Success;
    });
}
