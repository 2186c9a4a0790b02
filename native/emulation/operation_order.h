// Which queued operations come before which. Order comes from streams, events and the host's waiting alone, never from the order
// in which the emulation happened to run them: vector clocks, one component a stream, say it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "epoch.h"
#include "eternal.h"

namespace emulation
{

// For each stream, the number of its operations that come before. Missing components are 0.
typedef std::vector<uint64_t> VectorClock;

void join(VectorClock& into, const VectorClock& other);

struct OperationInfo
{
    Epoch first;
    uint32_t stream;
    uint64_t clock; // this operation's own, from 1, in its stream
    std::shared_ptr<const VectorClock> before;
    const std::string* label;
};

class OperationOrder
{
public:
    // Starts an operation, which becomes the running one.
    void begin(uint32_t stream, uint64_t clock, std::shared_ptr<const VectorClock> before, const std::string* label);

    // The first epoch of a fresh interval.
    Epoch new_interval() { return make_epoch(_next_interval++); }

    // Whether the operation that an epoch belongs to is the running one or comes before it.
    bool ordered(Epoch epoch) { return epoch < _ordered_below || ordered_slowly(epoch); }

    // A set of operations that read, with that of `epoch` added, without those that come before the running one. 0 is the empty set.
    uint32_t with_reader(uint32_t set, Epoch epoch);
    bool readers_ordered(uint32_t set) const;

    // What comes before every operation to come need not be told apart any more.
    void forget(const VectorClock& before_all);

    // All of it, with the memory that it was about.
    void forget_all();

    std::string describe(Epoch epoch) const;
    // A member of a set that does not come before the running operation.
    std::string describe_unordered(uint32_t set) const;
    // `stream 1, operation 5`.
    std::string describe_running_place() const { return place(_running.stream, _running.clock); }
    const OperationInfo& running() const { return _running; }

private:
    struct Known
    {
        Epoch first;
        uint64_t clock;
        const std::string* label;
        uint32_t stream;
    };

    bool ordered_slowly(Epoch epoch);
    bool precedes(const Known& known) const;
    const Known* find(Epoch epoch) const;
    static std::string describe(const Known& known);
    static std::string place(uint32_t stream, uint64_t clock);

    uint64_t _next_interval = 1;
    Epoch _watermark = make_epoch(1); // all before it is ordered before everything to come
    std::deque<Known> _operations;
    OperationInfo _running{};
    // All epochs below come before the running operation; some above may.
    Epoch _ordered_below = 0;
    // Epochs from `begin` to below `end` were found to be ordered: a kernel reads what several operations wrote, in turns.
    struct Span
    {
        Epoch begin = 0;
        Epoch end = 0;
    };
    std::array<Span, 8> _ordered{};
    size_t _oldest = 0;
    // The operations of each stream, in its order: clock and first epoch.
    std::vector<std::deque<std::pair<uint64_t, Epoch>>> _streams;
    std::vector<std::vector<Known>> _sets{{}};
    std::map<std::vector<Epoch>, uint32_t> _set_numbers;
    uint32_t _memo_set = 0;
    Epoch _memo_reader = 0;
    uint32_t _memo_result = 0;
};

extern Eternal<OperationOrder> eternal_operation_order;
static OperationOrder& operation_order = eternal_operation_order.value;

// One copy of each text, for the life of the process.
const std::string* interned(const std::string& text);

} // namespace emulation
