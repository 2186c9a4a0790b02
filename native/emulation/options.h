// What the emulated machine is like, set by `dataflowEmulationSet` or the environment variable DATAFLOW_EMULATION
// (`seed=5,free_memory=1000000`): faults are played by setting them.
#pragma once

#include <cstdint>
#include <string>

namespace emulation
{

struct Options
{
    int64_t seed = 1;
    int64_t device_count = 1;
    int64_t driver_version = 12040;
    int64_t multiprocessors = 16;
    int64_t total_memory = 24ll << 30;
    int64_t context_memory = 300ll << 20;      // taken by a context
    int64_t others_memory = 0;                 // taken by another process
    int64_t others_growth = 0;                 // what it takes more with each operation that is executed
    int64_t pinned_limit = INT64_MAX;          // bytes that may be pinned
    int64_t host_registration = 1;             // 0: registering host memory fails
    int64_t cublas = 1;                        // 0: cuBLASLt cannot be initialised
    int64_t cudnn = 1;                         // 0: cuDNN cannot be initialised
    int64_t cudnn_version = 92801;             // as cudnnGetVersion counts: 9.28.1
    int64_t cudnn_workspace = 0;               // bytes that plans ask for beyond the library's own
    int64_t capability = 90;                   // of the GPU: 10 times its compute capability
    int64_t nvml = 1;                          // 0: NVML cannot be initialised
    int64_t stream_capture = 1;                // 0: streams cannot be captured
    int64_t shared_memory_per_block = 227 * 1024;

    // False for an unknown name.
    bool set(const std::string& name, int64_t value);
};

extern Options options;

} // namespace emulation
