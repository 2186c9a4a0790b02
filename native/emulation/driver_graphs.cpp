// Stream capture and graphs.
#include <algorithm>

#include "driver.h"
#include "options.h"

using namespace emulation;

namespace
{

template <typename T> bool known(const std::vector<std::unique_ptr<T>>& all, const T* one)
{
    return std::any_of(all.begin(), all.end(), [&](auto& e) { return e.get() == one; });
}

template <typename T> CUresult destroy(std::vector<std::unique_ptr<T>>& all, const T* one)
{
    return driver_call(Needs::Context, [&] {
        const auto at = std::find_if(all.begin(), all.end(), [&](auto& e) { return e.get() == one; });
        if (at == all.end())
        {
            return InvalidHandle;
        }

        all.erase(at);
        return Success;
    });
}

} // namespace

DRIVER_API CUresult cuStreamBeginCapture_v2(CUstream stream, int mode)
{
    return driver_call(Needs::Context, [&] {
        if (stream == nullptr || options.stream_capture == 0)
        {
            return StreamCaptureUnsupported; // the null stream cannot be captured
        }

        if (!scheduler.knows(stream) || stream->capture != nullptr || mode < 0 || mode > static_cast<int>(CaptureMode::Relaxed))
        {
            return scheduler.knows(stream) ? InvalidValue : InvalidHandle;
        }

        stream->capture = std::make_shared<Capture>(*stream, static_cast<CaptureMode>(mode));
        driver.captures.push_back(stream->capture);
        return Success;
    });
}

DRIVER_API CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph)
{
    return driver_call(Needs::Context, [&] {
        *graph = nullptr;
        if (stream == nullptr || !scheduler.knows(stream))
        {
            return InvalidHandle;
        }

        const std::shared_ptr<Capture> capture = stream->capture;
        if (capture == nullptr)
        {
            return InvalidValue;
        }

        if (!capture->begun_by(*stream))
        {
            return StreamCaptureUnmatched;
        }

        if (capture->mode != CaptureMode::Relaxed && !capture->is_own())
        {
            return StreamCaptureWrongThread;
        }

        const bool joined = capture->is_joined();
        capture->end();
        driver.captures.erase(std::find(driver.captures.begin(), driver.captures.end(), capture));
        if (!capture->valid || !joined)
        {
            return joined ? StreamCaptureInvalidated : StreamCaptureUnjoined;
        }

        driver.graphs.push_back(std::make_unique<Graph>(std::move(capture->graph)));
        *graph = driver.graphs.back().get();
        return Success;
    });
}

DRIVER_API CUresult cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph graph, unsigned long long flags)
{
    return driver_call(Needs::Context, [&] {
        if (!known(driver.graphs, graph))
        {
            return InvalidHandle;
        }

        if (flags != 0)
        {
            return NotSupported;
        }

        driver.executables.push_back(std::make_unique<GraphExec>(*graph));
        *exec = driver.executables.back().get();
        return Success;
    });
}

DRIVER_API CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream)
{
    return with_stream(stream, [&](Stream& s) {
        if (!known(driver.executables, exec))
        {
            return InvalidHandle;
        }

        if (s.capture != nullptr)
        {
            return NotSupported; // graphs within graphs
        }

        driver.graph_launches++;
        exec->launch(s);
        return Success;
    });
}

DRIVER_API CUresult cuGraphExecDestroy(CUgraphExec exec) { return destroy(driver.executables, exec); }

DRIVER_API CUresult cuGraphDestroy(CUgraph graph) { return destroy(driver.graphs, graph); }
