// Streams and events.
#include <algorithm>

#include "driver.h"

namespace emulation
{

bool DriverState::knows(const Event* event) const
{
    return std::any_of(events.begin(), events.end(), [&](auto& e) { return e.get() == event; });
}

} // namespace emulation

using namespace emulation;

namespace
{

constexpr unsigned NonBlocking = 1;
constexpr unsigned DisableTiming = 2;

template <typename Body> CUresult with_event(CUevent event, Body body)
{
    return driver_call(Needs::Context, [&] { return driver.knows(event) ? body(*event) : InvalidHandle; });
}

// A call that looks whether something has completed: what is captured never does.
template <typename Body> CUresult with_recorded(CUevent event, Body body)
{
    return with_event(event, [&](Event& e) {
        if (e.capture == nullptr)
        {
            return body(e);
        }

        e.capture->valid = false;
        return CapturedEvent;
    });
}

template <typename Body> CUresult with_uncaptured(CUstream stream, Body body)
{
    return with_stream(stream, [&](Stream& s) {
        if (s.capture == nullptr)
        {
            return body(s);
        }

        s.capture->valid = false;
        return StreamCaptureUnsupported;
    });
}

// Streams join a capture by waiting for it; no capture knows of what is not in it.
CUresult wait_captured(Stream& stream, Event& event)
{
    Capture* of_event = event.capture.get();
    Capture* of_stream = stream.capture.get();
    if (of_event == of_stream && of_event != nullptr)
    {
        of_event->wait(stream, event);
        return Success;
    }

    const bool joins = of_event != nullptr && of_stream == nullptr && of_event->active;
    if (joins && &stream != &scheduler.null_stream())
    {
        of_event->wait(stream, event);
        return Success;
    }

    for (Capture* capture : {of_event, of_stream})
    {
        if (capture != nullptr)
        {
            capture->valid = false;
        }
    }

    return joins ? StreamCaptureImplicit : of_event != nullptr && of_stream != nullptr ? StreamCaptureMerge : StreamCaptureIsolation;
}

} // namespace

DRIVER_API CUresult cuStreamCreateWithPriority(CUstream* stream, unsigned flags, int priority)
{
    return driver_call(Needs::Context, [&] {
        if (flags > NonBlocking)
        {
            return InvalidValue;
        }

        *stream = scheduler.create(flags != NonBlocking);
        (*stream)->priority = std::clamp(priority, -5, 0);
        return Success;
    });
}

DRIVER_API CUresult cuStreamCreate(CUstream* stream, unsigned flags) { return cuStreamCreateWithPriority(stream, flags, 0); }

DRIVER_API CUresult cuStreamGetPriority(CUstream stream, int* priority)
{
    return with_stream(stream, [&](Stream& s) {
        *priority = s.priority;
        return Success;
    });
}

DRIVER_API CUresult cuStreamDestroy_v2(CUstream stream)
{
    return driver_call(Needs::Context, [&] {
        if (stream == nullptr || !scheduler.knows(stream))
        {
            return InvalidHandle;
        }

        if (stream->capture != nullptr)
        {
            stream->capture->valid = false;
            return StreamCaptureUnsupported;
        }

        scheduler.destroy(stream);
        return Success;
    });
}

DRIVER_API CUresult cuStreamSynchronize(CUstream stream)
{
    return with_uncaptured(stream, [&](Stream& s) {
        scheduler.synchronize(s);
        return scheduler.error();
    });
}

DRIVER_API CUresult cuStreamQuery(CUstream stream)
{
    return with_uncaptured(stream, [&](Stream& s) {
        scheduler.pass_time();
        if (Scheduler::done(s))
        {
            scheduler.synchronize(s);
        }

        return scheduler.error() != 0 ? scheduler.error() : Scheduler::done(s) ? Success : NotReady;
    });
}

DRIVER_API CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned)
{
    return with_stream(stream, [&](Stream& s) {
        if (!driver.knows(event))
        {
            return InvalidHandle;
        }

        if (event->capture != nullptr || (s.capture != nullptr && event->last != nullptr))
        {
            return wait_captured(s, *event);
        }

        scheduler.wait(s, *event);
        return Success;
    });
}

DRIVER_API CUresult cuEventCreate(CUevent* event, unsigned flags)
{
    return driver_call(Needs::Context, [&] {
        driver.events.push_back(std::make_unique<Event>());
        *event = driver.events.back().get();
        (*event)->timing = (flags & DisableTiming) == 0;
        return Success;
    });
}

DRIVER_API CUresult cuEventRecord(CUevent event, CUstream stream)
{
    return with_stream(stream, [&](Stream& s) {
        if (!driver.knows(event))
        {
            return InvalidHandle;
        }

        if (s.capture != nullptr)
        {
            s.capture->record(s, *event);
            return Success;
        }

        event->capture = nullptr;
        scheduler.record(s, *event);
        return Success;
    });
}

DRIVER_API CUresult cuEventSynchronize(CUevent event)
{
    return with_recorded(event, [&](Event& e) {
        scheduler.synchronize(e);
        return scheduler.error();
    });
}

DRIVER_API CUresult cuEventQuery(CUevent event)
{
    return with_recorded(event, [&](Event& e) {
        scheduler.pass_time();
        const bool done = e.last == nullptr || e.last->done;
        if (done)
        {
            scheduler.synchronize(e);
        }

        return scheduler.error() != 0 ? scheduler.error() : done ? Success : NotReady;
    });
}

DRIVER_API CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end)
{
    return with_recorded(start, [&](Event& s) {
        if (!driver.knows(end) || s.last == nullptr || end->last == nullptr || !s.timing || !end->timing)
        {
            return InvalidHandle;
        }

        if (!s.last->done || !end->last->done)
        {
            return NotReady;
        }

        *milliseconds = static_cast<float>(end->last->nanoseconds - s.last->nanoseconds) * 1e-6f;
        return Success;
    });
}

DRIVER_API CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end)
{
    return cuEventElapsedTime(milliseconds, start, end);
}

DRIVER_API CUresult cuEventDestroy_v2(CUevent event)
{
    return with_event(event, [&](Event&) {
        driver.events.erase(std::find_if(driver.events.begin(), driver.events.end(), [&](auto& e) { return e.get() == event; }));
        return Success;
    });
}

DRIVER_API CUresult cuLaunchHostFunc(CUstream stream, void (*function)(void*), void* argument)
{
    return with_stream(stream, [&](Stream& s) {
        if (function == nullptr)
        {
            return InvalidValue;
        }

        scheduler.queue(s, "host function", [=] { function(argument); });
        return Success;
    });
}
