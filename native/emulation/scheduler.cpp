#include "scheduler.h"

#include <algorithm>
#include <chrono>

#include "access_state.h"
#include "fault.h"
#include "graph_capture.h"
#include "options.h"

namespace emulation
{

Scheduler& scheduler = *new Scheduler();

namespace
{

constexpr uint32_t Host = 0;
constexpr uint32_t NullStream = 1;

int64_t nanoseconds_now()
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

Scheduler::Scheduler() : _random(static_cast<uint64_t>(options.seed))
{
    _streams.push_back(std::make_unique<Stream>());
    _streams[0]->number = NullStream;
    _streams[0]->follows_null_stream = true;
}

Stream* Scheduler::create(bool follows_null_stream)
{
    _streams.push_back(std::make_unique<Stream>());
    _streams.back()->number = _next_number++;
    _streams.back()->follows_null_stream = follows_null_stream;
    return _streams.back().get();
}

void Scheduler::destroy(Stream* stream)
{
    while (!stream->queue.empty() && run_one())
    {
    }

    _streams.erase(std::find_if(_streams.begin(), _streams.end(), [&](auto& s) { return s.get() == stream; }));
}

bool Scheduler::knows(const Stream* stream) const
{
    return std::any_of(_streams.begin(), _streams.end(), [&](auto& s) { return s.get() == stream; });
}

// Work on the null stream and on the streams that follow it is in order of issue.
void Scheduler::join_null_stream(Stream& stream)
{
    if (&stream != _streams[0].get())
    {
        if (stream.follows_null_stream)
        {
            join(stream.after, _streams[0]->after);
        }

        return;
    }

    for (auto& other : _streams)
    {
        if (other->follows_null_stream)
        {
            join(stream.after, other->after);
        }
    }
}

// What comes before the stream's next operation, its own operations apart.
std::shared_ptr<const VectorClock> Scheduler::snapshot(Stream& stream)
{
    join(stream.after, _host);
    join_null_stream(stream);
    stream.after.resize(std::max<size_t>(stream.after.size(), stream.number + 1));
    bool same = stream.snapshot != nullptr && stream.snapshot->size() == stream.after.size();
    for (size_t i = 0; same && i < stream.after.size(); i++)
    {
        same = i == stream.number || (*stream.snapshot)[i] == stream.after[i];
    }

    if (!same)
    {
        stream.snapshot = std::make_shared<const VectorClock>(stream.after);
    }

    return stream.snapshot;
}

void Scheduler::queue(Stream& stream, const std::string& label, std::function<void()> run)
{
    const std::string* full = interned(stream.caller.empty() ? label : label + " of " + stream.caller);
    if (stream.capture != nullptr)
    {
        stream.capture->run(stream, full, std::move(run));
        return;
    }

    append(stream, full, stream.ranges, std::move(run));
}

void Scheduler::append(
    Stream& stream, const std::string* label, const std::shared_ptr<DeclaredRanges>& ranges, std::function<void()> run)
{
    Operation operation{Operation::Kind::Run, _next_sequence++};
    operation.before = snapshot(stream);
    operation.clock = ++stream.clock;
    operation.run = std::move(run);
    operation.label = label;
    operation.ranges = ranges;
    stream.after[stream.number] = stream.clock;
    stream.queue.push_back(std::move(operation));
}

void Scheduler::record(Stream& stream, Event& event)
{
    snapshot(stream);
    event.last = std::make_shared<Recorded>();
    event.last->clock = std::make_shared<const VectorClock>(stream.after);
    Operation operation{Operation::Kind::Record, _next_sequence++};
    operation.recorded = event.last;
    stream.queue.push_back(std::move(operation));
}

// An event that was never recorded is no wait at all, as on the GPU.
void Scheduler::wait(Stream& stream, Event& event)
{
    if (event.last == nullptr)
    {
        return;
    }

    snapshot(stream);
    join(stream.after, *event.last->clock);
    Operation operation{Operation::Kind::Wait, _next_sequence++};
    operation.recorded = event.last;
    stream.queue.push_back(std::move(operation));
}

bool Scheduler::legal(const Stream& stream) const
{
    const Operation& head = stream.queue.front();
    if (head.kind == Operation::Kind::Wait && !head.recorded->done)
    {
        return false;
    }

    const bool null_stream = &stream == _streams[0].get();
    if (!null_stream)
    {
        const auto& queue = _streams[0]->queue;
        return !stream.follows_null_stream || queue.empty() || queue.front().sequence > head.sequence;
    }

    return std::all_of(_streams.begin(), _streams.end(), [&](auto& other) {
        return !other->follows_null_stream || other->queue.empty() || other->queue.front().sequence >= head.sequence;
    });
}

// One stream is preferred for a while, so that it runs as far ahead of the others as it may.
bool Scheduler::run_one()
{
    size_t legal_streams[64];
    size_t count = 0;
    size_t chosen = ~size_t{0};
    if (_random.below(16) == 0)
    {
        _preferred = _random.below(static_cast<uint32_t>(_streams.size()));
    }

    for (size_t i = 0; i < _streams.size() && count < 64; i++)
    {
        if (!_streams[i]->queue.empty() && legal(*_streams[i]))
        {
            chosen = i == _preferred ? i : chosen;
            legal_streams[count++] = i;
        }
    }

    if (count == 0)
    {
        return false;
    }

    if (chosen == ~size_t{0} || _random.below(8) == 0)
    {
        chosen = legal_streams[_random.below(static_cast<uint32_t>(count))];
    }

    Stream& stream = *_streams[chosen];
    Operation operation = std::move(stream.queue.front());
    stream.queue.pop_front();
    execute(stream, std::move(operation));
    return true;
}

void Scheduler::execute(Stream& stream, Operation operation)
{
    switch (operation.kind)
    {
    case Operation::Kind::Wait: break;
    case Operation::Kind::Record:
        operation.recorded->done = true;
        operation.recorded->nanoseconds = nanoseconds_now();
        break;
    case Operation::Kind::Run:
        run_checked(stream.number, operation.clock, operation.before, operation.label, operation.ranges.get(), operation.run);
        break;
    }
}

void Scheduler::run_checked(uint32_t stream, uint64_t clock, const std::shared_ptr<const VectorClock>& before, const std::string* label,
    DeclaredRanges* ranges, const std::function<void()>& run)
{
    operation_order.begin(stream, clock, before, label);
    access_state.now = access_state.block_first = access_state.operation_first = operation_order.running().first;
    access_state.ranges = ranges;
    executed++;
    options.others_memory += options.others_growth;
    try
    {
        run();
    }
    catch (const Fault& fault)
    {
        _error = static_cast<int>(fault.kind);
        _error_text = fault.what();
        drop_queues();
    }
}

void Scheduler::drop_queues()
{
    for (auto& stream : _streams)
    {
        for (Operation& operation : stream->queue)
        {
            if (operation.kind == Operation::Kind::Record)
            {
                operation.recorded->done = true;
            }
        }

        stream->queue.clear();
    }
}

void Scheduler::synchronize(Stream& stream)
{
    while (!stream.queue.empty() && run_one())
    {
    }

    snapshot(stream);
    join(_host, stream.after);
    forget_what_is_over();
}

void Scheduler::synchronize(Event& event)
{
    if (event.last == nullptr)
    {
        return;
    }

    while (!event.last->done && run_one())
    {
    }

    join(_host, *event.last->clock);
    forget_what_is_over();
}

void Scheduler::synchronize_all()
{
    while (run_one())
    {
    }

    for (auto& stream : _streams)
    {
        join(_host, stream->after);
    }

    forget_what_is_over();
}

void Scheduler::pass_time()
{
    for (uint32_t i = 1 + _random.below(4); i > 0 && run_one(); i--)
    {
    }
}

// What comes before every stream's next operation, and before all that the host has yet to queue.
void Scheduler::forget_what_is_over()
{
    VectorClock over = _host;
    for (auto& stream : _streams)
    {
        auto head = std::find_if(stream->queue.begin(), stream->queue.end(), [](auto& o) { return o.kind == Operation::Kind::Run; });
        if (head == stream->queue.end())
        {
            continue;
        }

        for (size_t i = 0; i < over.size(); i++)
        {
            const uint64_t before = i == stream->number ? head->clock - 1 : i < head->before->size() ? (*head->before)[i] : 0;
            over[i] = std::min(over[i], before);
        }
    }

    operation_order.forget(over);
}

void Scheduler::host_access(const std::function<void()>& access)
{
    _host.resize(std::max<size_t>(_host.size(), 1));
    const auto before = std::make_shared<const VectorClock>(_host);
    const uint64_t clock = ++_host[Host];
    run_checked(Host, clock, before, interned("host's own access"), nullptr, access);
}

void Scheduler::clear_error()
{
    _error = 0;
    _error_text.clear();
}

void Scheduler::reset()
{
    drop_queues();
    _streams.resize(1);
    const uint32_t number = _streams[0]->number;
    *_streams[0] = Stream{number, true};
    _host.clear();
    _next_number = NullStream + 1;
    clear_error();
    operation_order.forget_all();
}

} // namespace emulation
