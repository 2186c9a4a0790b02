#include "operation_order.h"

#include <algorithm>
#include <set>

namespace emulation
{

Eternal<OperationOrder> eternal_operation_order;

void join(VectorClock& into, const VectorClock& other)
{
    if (into.size() < other.size())
    {
        into.resize(other.size());
    }

    for (size_t i = 0; i < other.size(); i++)
    {
        into[i] = std::max(into[i], other[i]);
    }
}

void OperationOrder::begin(uint32_t stream, uint64_t clock, std::shared_ptr<const VectorClock> before, const std::string* label)
{
    const Epoch first = new_interval();
    _operations.push_back({first, clock, label, stream});
    _running = {first, stream, clock, std::move(before), label};
    _ordered = {};
    _memo_reader = 0;
    if (_streams.size() <= stream)
    {
        _streams.resize(stream + 1);
    }

    _streams[stream].push_back({clock, first});
    // The first operation of another stream that does not come before this one ends what is ordered as a whole.
    _ordered_below = ~0ull;
    for (uint32_t s = 0; s < _streams.size(); s++)
    {
        const uint64_t before_this = s == stream ? clock : s < _running.before->size() ? (*_running.before)[s] : 0;
        const auto& operations = _streams[s];
        if (!operations.empty() && operations.back().first > before_this)
        {
            const auto next = std::upper_bound(operations.begin(), operations.end(), std::pair<uint64_t, Epoch>(before_this, ~0ull));
            _ordered_below = std::min(_ordered_below, next->second);
        }
    }
}

bool OperationOrder::precedes(const Known& known) const
{
    return known.stream == _running.stream ? known.clock <= _running.clock
                                           : known.stream < _running.before->size() && known.clock <= (*_running.before)[known.stream];
}

// The operation an epoch belongs to; null for one that is forgotten.
const OperationOrder::Known* OperationOrder::find(Epoch epoch) const
{
    auto after =
        std::upper_bound(_operations.begin(), _operations.end(), epoch, [](Epoch e, const Known& known) { return e < known.first; });
    return after == _operations.begin() ? nullptr : &*std::prev(after);
}

bool OperationOrder::ordered_slowly(Epoch epoch)
{
    if (epoch < _watermark)
    {
        return true;
    }

    for (const Span& span : _ordered)
    {
        if (epoch - span.begin < span.end - span.begin)
        {
            return true;
        }
    }

    auto after =
        std::upper_bound(_operations.begin(), _operations.end(), epoch, [](Epoch e, const Known& known) { return e < known.first; });
    const Known& known = *std::prev(after);
    if (!precedes(known))
    {
        return false;
    }

    _ordered[_oldest] = {known.first, after == _operations.end() ? ~0ull : after->first};
    _oldest = (_oldest + 1) % _ordered.size();
    return true;
}

uint32_t OperationOrder::with_reader(uint32_t set, Epoch epoch)
{
    const Known* reader = epoch < _watermark ? nullptr : find(epoch);
    const Epoch key = reader == nullptr ? 1 : reader->first;
    if (_memo_reader == key && _memo_set == set)
    {
        return _memo_result;
    }

    // At most one operation of a stream needs to be kept: the last.
    std::vector<Known> members;
    auto add = [&](const Known& known) {
        if (known.first < _watermark || precedes(known))
        {
            return;
        }

        for (Known& member : members)
        {
            if (member.stream == known.stream)
            {
                member = member.clock < known.clock ? known : member;
                return;
            }
        }

        members.push_back(known);
    };
    for (const Known& member : _sets[set])
    {
        add(member);
    }

    if (reader != nullptr)
    {
        add(*reader);
    }

    std::sort(members.begin(), members.end(), [](const Known& a, const Known& b) { return a.first < b.first; });
    std::vector<Epoch> name;
    for (const Known& member : members)
    {
        name.push_back(member.first);
    }

    uint32_t number = 0;
    if (!members.empty())
    {
        auto [at, fresh] = _set_numbers.try_emplace(name, static_cast<uint32_t>(_sets.size()));
        number = at->second;
        if (fresh)
        {
            _sets.push_back(members);
        }
    }

    _memo_reader = key;
    _memo_set = set;
    _memo_result = number;
    return number;
}

bool OperationOrder::readers_ordered(uint32_t set) const
{
    return std::all_of(
        _sets[set].begin(), _sets[set].end(), [&](const Known& known) { return known.first < _watermark || precedes(known); });
}

void OperationOrder::forget(const VectorClock& before_all)
{
    while (!_operations.empty() && _operations.front().stream < before_all.size() &&
        _operations.front().clock <= before_all[_operations.front().stream])
    {
        _streams[_operations.front().stream].pop_front();
        _operations.pop_front();
    }

    _watermark = _operations.empty() ? make_epoch(_next_interval) : _operations.front().first;
}

void OperationOrder::forget_all()
{
    _operations.clear();
    _streams.clear();
    _sets.resize(1);
    _set_numbers.clear();
    _watermark = make_epoch(_next_interval);
}

std::string OperationOrder::place(uint32_t stream, uint64_t clock)
{
    return (stream == 0 ? "the host" : "stream " + std::to_string(stream)) + ", operation " + std::to_string(clock);
}

std::string OperationOrder::describe(const Known& known) { return *known.label + " (" + place(known.stream, known.clock) + ")"; }

std::string OperationOrder::describe(Epoch epoch) const
{
    const Known* known = find(epoch);
    return known == nullptr ? "an earlier operation" : describe(*known);
}

std::string OperationOrder::describe_unordered(uint32_t set) const
{
    for (const Known& known : _sets[set])
    {
        if (known.first >= _watermark && !precedes(known))
        {
            return describe(known);
        }
    }

    return "an earlier operation";
}

const std::string* interned(const std::string& text)
{
    static std::set<std::string>* texts = new std::set<std::string>();
    return &*texts->insert(text).first;
}

} // namespace emulation
