// The library's own exports, beside those of the driver.
#include <string>

#include "block_runtime.h"

using namespace emulation;

namespace
{
std::string s_last_error;
}

extern "C" const char* dataflowEmulationLastError() { return s_last_error.c_str(); }

// Runs a kernel at once, outside of any stream. 0, or 1 and a text in dataflowEmulationLastError.
extern "C" int dataflowEmulationRun(const EmulationKernel* kernel, const uint32_t* grid, const uint32_t* block, uint32_t dynamic_shared_bytes,
    void** parameters, uint64_t seed)
{
    try
    {
        Launch launch{kernel, parameters, {grid[0], grid[1], grid[2]}, {block[0], block[1], block[2]}, dynamic_shared_bytes};
        BlockRuntime::instance().run(launch, seed);
        return 0;
    }
    catch (const LaunchError& error)
    {
        s_last_error = error.what();
        return 1;
    }
}
