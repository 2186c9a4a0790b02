// Stream capture: calls to streams that are kept instead of made, and the graphs that make them again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "scheduler.h"

namespace emulation
{

enum class CaptureMode
{
    Global,
    ThreadLocal,
    Relaxed,
};

// A call to a stream, kept with all that it would have been made with.
struct CapturedCall
{
    Operation::Kind kind;
    size_t lane; // the stream, by when it joined: the one that the capture began on is the first
    size_t recording = 0; // what is recorded or waited for, of the capture's recordings
    const std::string* label = nullptr;
    std::shared_ptr<const std::function<void()>> run;
    std::shared_ptr<DeclaredRanges> ranges;
};

struct Graph
{
    std::vector<CapturedCall> calls;
    size_t lanes = 0;
    size_t recordings = 0;
};

// A capture from its begin to its end. A stream joins it by waiting for an event that was recorded in it.
class Capture
{
public:
    Capture(Stream& origin, CaptureMode mode);

    void run(Stream& stream, const std::string* label, std::function<void()> body);
    // The event stands for this point of the capture until it is recorded elsewhere.
    void record(Stream& stream, Event& event);
    void wait(Stream& stream, const Event& event);
    // Whether all that other streams did comes before the end of the first.
    bool is_joined() const;
    // Its streams are streams again.
    void end();

    bool begun_by(const Stream& stream) const { return _lanes[0] == &stream; }
    bool forbids_waiting() const { return mode == CaptureMode::Global || (mode == CaptureMode::ThreadLocal && is_own()); }
    bool is_own() const { return _thread == std::this_thread::get_id(); }

    const CaptureMode mode;
    bool active = true;
    bool valid = true;
    Graph graph;

private:
    size_t lane_of(const Stream& stream) const;
    void take(Operation::Kind kind, size_t lane, size_t recording);

    std::thread::id _thread = std::this_thread::get_id();
    std::vector<Stream*> _lanes;
    std::vector<VectorClock> _after; // by lane: what comes before its next call
    std::vector<VectorClock> _recorded;
};

// A graph that can be launched, on the launching stream and streams of its own.
class GraphExec
{
public:
    explicit GraphExec(Graph graph);
    ~GraphExec();
    GraphExec(const GraphExec&) = delete;
    GraphExec& operator=(const GraphExec&) = delete;

    // Behind what is on the stream and behind its own last launch.
    void launch(Stream& stream);

private:
    Graph _graph;
    std::vector<Stream*> _own; // of all lanes but the first
    std::vector<Event> _events;
    Event _done;
};

} // namespace emulation
