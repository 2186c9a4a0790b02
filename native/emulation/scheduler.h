// The queues of all streams. Operations run when the host waits for something, in the calling thread: the next one is picked at
// random, by a seed, among those that are legal.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "declared_ranges.h"
#include "operation_order.h"
#include "random.h"

namespace emulation
{

// One recording of an event.
struct Recorded
{
    bool done = false;
    std::shared_ptr<const VectorClock> clock;
    int64_t nanoseconds = 0;
};

class Capture;

struct Event
{
    std::shared_ptr<Recorded> last; // null before the first recording
    std::shared_ptr<Capture> capture; // where it was recorded last, if in one
    size_t recording = 0; // of the capture's
    bool timing = true;
};

struct Operation
{
    enum class Kind
    {
        Run,
        Record,
        Wait,
    };

    Kind kind;
    uint64_t sequence; // over all streams
    uint64_t clock = 0;
    std::function<void()> run;
    const std::string* label = nullptr;
    std::shared_ptr<const VectorClock> before;
    std::shared_ptr<DeclaredRanges> ranges;
    std::shared_ptr<Recorded> recorded;
};

struct Stream
{
    uint32_t number;
    bool follows_null_stream; // as streams do that were not created as non-blocking
    int priority = 0;
    uint64_t clock = 0;
    VectorClock after; // what comes before the next operation
    std::shared_ptr<const VectorClock> snapshot;
    std::deque<Operation> queue;
    std::shared_ptr<DeclaredRanges> ranges;
    std::string caller; // what the caller says that it is doing
    std::shared_ptr<Capture> capture; // takes what is queued; null outside of one
};

class Scheduler
{
public:
    Scheduler();

    Stream* create(bool follows_null_stream);
    // What is queued still runs, first.
    void destroy(Stream* stream);
    bool knows(const Stream* stream) const;
    Stream& null_stream() { return *_streams[0]; }
    size_t stream_count() const { return _streams.size() - 1; }

    void queue(Stream& stream, const std::string& label, std::function<void()> run);
    // The same of what was captured: nothing of it is looked for in the stream.
    void append(Stream& stream, const std::string* label, const std::shared_ptr<DeclaredRanges>& ranges, std::function<void()> run);
    void record(Stream& stream, Event& event);
    void wait(Stream& stream, Event& event);

    void synchronize(Stream& stream);
    void synchronize(Event& event);
    void synchronize_all();
    // Lets a few operations run, as time passes while the host does other things.
    void pass_time();
    static bool done(const Stream& stream) { return stream.queue.empty(); }

    // The host itself touches memory.
    void host_access(const std::function<void()>& access);

    int error() const { return _error; }
    const std::string& error_text() const { return _error_text; }
    void clear_error();
    // Everything queued is dropped, all streams but the null stream are gone.
    void reset();
    void seed(uint64_t seed) { _random = Random(seed); }

    uint64_t executed = 0;
    uint64_t kernels = 0;

    // The seed of the next launch's order of threads.
    uint64_t next_seed() { return _random.next(); }

private:
    bool legal(const Stream& stream) const;
    bool run_one();
    void execute(Stream& stream, Operation operation);
    void run_checked(uint32_t stream, uint64_t clock, const std::shared_ptr<const VectorClock>& before, const std::string* label,
        DeclaredRanges* ranges, const std::function<void()>& run);
    void drop_queues();
    void forget_what_is_over();
    std::shared_ptr<const VectorClock> snapshot(Stream& stream);
    void join_null_stream(Stream& stream);

    std::vector<std::unique_ptr<Stream>> _streams; // the null stream first
    uint32_t _next_number = 2;
    uint64_t _next_sequence = 0;
    Random _random;
    size_t _preferred = 0;
    VectorClock _host; // what the host has waited for
    int _error = 0;
    std::string _error_text;
};

extern Scheduler& scheduler;

} // namespace emulation
