#include "graph_capture.h"

#include <algorithm>

namespace emulation
{

Capture::Capture(Stream& origin, CaptureMode mode_) : mode(mode_), _lanes{&origin}, _after(1) {}

size_t Capture::lane_of(const Stream& stream) const
{
    return static_cast<size_t>(std::find(_lanes.begin(), _lanes.end(), &stream) - _lanes.begin());
}

void Capture::take(Operation::Kind kind, size_t lane, size_t recording)
{
    CapturedCall call{kind, lane};
    call.recording = recording;
    graph.calls.push_back(std::move(call));
}

void Capture::run(Stream& stream, const std::string* label, std::function<void()> body)
{
    const size_t lane = lane_of(stream);
    _after[lane].resize(std::max(_after[lane].size(), lane + 1));
    _after[lane][lane]++;
    take(Operation::Kind::Run, lane, 0);
    graph.calls.back().label = label;
    graph.calls.back().run = std::make_shared<const std::function<void()>>(std::move(body));
    graph.calls.back().ranges = stream.ranges;
}

void Capture::record(Stream& stream, Event& event)
{
    const size_t lane = lane_of(stream);
    take(Operation::Kind::Record, lane, _recorded.size());
    event.capture = stream.capture;
    event.recording = _recorded.size();
    _recorded.push_back(_after[lane]);
}

void Capture::wait(Stream& stream, const Event& event)
{
    size_t lane = lane_of(stream);
    if (lane == _lanes.size())
    {
        _lanes.push_back(&stream);
        _after.emplace_back();
        stream.capture = event.capture;
    }

    join(_after[lane], _recorded[event.recording]);
    take(Operation::Kind::Wait, lane, event.recording);
}

bool Capture::is_joined() const
{
    for (size_t lane = 1; lane < _lanes.size(); lane++)
    {
        const uint64_t calls = lane < _after[lane].size() ? _after[lane][lane] : 0;
        const uint64_t before_the_end = lane < _after[0].size() ? _after[0][lane] : 0;
        if (before_the_end < calls)
        {
            return false;
        }
    }

    return true;
}

void Capture::end()
{
    graph.lanes = _lanes.size();
    graph.recordings = _recorded.size();
    active = false;
    for (Stream* lane : _lanes)
    {
        lane->capture = nullptr;
    }
}

GraphExec::GraphExec(Graph graph) : _graph(std::move(graph)), _events(_graph.recordings)
{
    for (size_t lane = 1; lane < _graph.lanes; lane++)
    {
        _own.push_back(scheduler.create(false));
    }
}

GraphExec::~GraphExec()
{
    for (Stream* stream : _own)
    {
        scheduler.destroy(stream);
    }
}

void GraphExec::launch(Stream& stream)
{
    scheduler.wait(stream, _done);
    for (const CapturedCall& call : _graph.calls)
    {
        Stream& lane = call.lane == 0 ? stream : *_own[call.lane - 1];
        switch (call.kind)
        {
        case Operation::Kind::Record: scheduler.record(lane, _events[call.recording]); break;
        case Operation::Kind::Wait: scheduler.wait(lane, _events[call.recording]); break;
        case Operation::Kind::Run: scheduler.append(lane, call.label, call.ranges, [run = call.run] { (*run)(); }); break;
        }
    }

    scheduler.record(stream, _done);
}

} // namespace emulation
