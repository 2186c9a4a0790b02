// The CUDA driver's types and statuses as far as we use them, and what all of its functions share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "graph_capture.h"
#include "kernel_interface.h"
#include "scheduler.h"

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st* CUcontext;
typedef struct CUmod_st* CUmodule;
typedef struct CUfunc_st* CUfunction;
typedef emulation::Stream* CUstream;
typedef emulation::Event* CUevent;
typedef emulation::Graph* CUgraph;
typedef emulation::GraphExec* CUgraphExec;

#define DRIVER_API extern "C" __attribute__((visibility("default")))

namespace emulation
{

constexpr CUresult Success = 0;
constexpr CUresult InvalidValue = 1;
constexpr CUresult OutOfMemory = 2;
constexpr CUresult NotInitialized = 3;
constexpr CUresult NoDevice = 100;
constexpr CUresult InvalidDevice = 101;
constexpr CUresult InvalidImage = 200;
constexpr CUresult InvalidContext = 201;
constexpr CUresult FileNotFound = 301;
constexpr CUresult SharedObjectInitFailed = 303;
constexpr CUresult InvalidHandle = 400;
constexpr CUresult NotFound = 500;
constexpr CUresult NotReady = 600;
constexpr CUresult HostMemoryAlreadyRegistered = 712;
constexpr CUresult HostMemoryNotRegistered = 713;
constexpr CUresult NotSupported = 801;
constexpr CUresult StreamCaptureUnsupported = 900;
constexpr CUresult StreamCaptureInvalidated = 901;
constexpr CUresult StreamCaptureMerge = 902;
constexpr CUresult StreamCaptureUnmatched = 903;
constexpr CUresult StreamCaptureUnjoined = 904;
constexpr CUresult StreamCaptureIsolation = 905;
constexpr CUresult StreamCaptureImplicit = 906;
constexpr CUresult CapturedEvent = 907;
constexpr CUresult StreamCaptureWrongThread = 908;

struct Function;

struct Module
{
    void* library = nullptr;
    std::vector<std::unique_ptr<Function>> functions;
};

struct Function
{
    const EmulationKernel* kernel = nullptr;
    uint32_t most_threads = 0; // of a block: __launch_bounds__
    int64_t max_dynamic_shared = 48 * 1024;
    uintptr_t image_begin = 0;
    size_t image_bytes = 0;
};

struct DriverState
{
    std::recursive_mutex mutex;
    bool initialized = false;
    int context_references = 0;
    std::vector<std::unique_ptr<Event>> events;
    std::vector<std::unique_ptr<Module>> modules;
    std::vector<std::shared_ptr<Capture>> captures; // that have not ended
    std::vector<std::unique_ptr<Graph>> graphs;
    std::vector<std::unique_ptr<GraphExec>> executables;
    uint64_t graph_launches = 0;

    // Whether a capture forbids this thread a call that may wait or allocate; the capture can be used no more.
    bool spoils_capture();
    bool knows(const Event* event) const;
    // Everything the context holds is gone.
    void destroy_context();
    int64_t free_memory() const;
};

extern DriverState& driver;
extern thread_local bool context_is_current;

enum class Needs
{
    Nothing,
    Driver,
    Context,
    NoCapture, // a context, and no capture that the call would not be part of
};

// Runs a function of the driver: one at a time, and, as on the GPU, none after an error but those that need no context.
template <typename Body> CUresult driver_call(Needs needs, Body body)
{
    std::lock_guard<std::recursive_mutex> lock(driver.mutex);
    if (needs != Needs::Nothing && !driver.initialized)
    {
        return NotInitialized;
    }

    if (needs == Needs::Context || needs == Needs::NoCapture)
    {
        if (driver.context_references == 0 || !context_is_current)
        {
            return InvalidContext;
        }

        if (scheduler.error() != 0)
        {
            return scheduler.error();
        }
    }

    if (needs == Needs::NoCapture && driver.spoils_capture())
    {
        return StreamCaptureUnsupported;
    }

    try
    {
        return body();
    }
    catch (const std::bad_alloc&)
    {
        return OutOfMemory;
    }
}

// The stream a handle means: null is the null stream. False where it is none.
template <typename Body> CUresult with_stream(CUstream handle, Body body)
{
    return driver_call(Needs::Context, [&] {
        Stream* stream = handle == nullptr ? &scheduler.null_stream() : handle;
        return scheduler.knows(stream) ? body(*stream) : InvalidHandle;
    });
}

} // namespace emulation
