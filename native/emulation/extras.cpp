// What the emulation exports beside the driver's functions.
#include "dataflow_emulation.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "driver.h"
#include "global_shadow.h"
#include "options.h"

using namespace emulation;

namespace
{

// Host memory is registered piece by piece: a range of the caller's may span several.
template <typename Touch> void by_region(uintptr_t address, size_t bytes, Touch touch)
{
    while (bytes > 0)
    {
        const Region* region = regions.find(address);
        const size_t part = region == nullptr ? bytes : std::min<size_t>(bytes, region->begin + region->bytes - address);
        touch(address, part);
        address += part;
        bytes -= part;
    }
}

void forget(uintptr_t address, size_t bytes)
{
    write_range(address, bytes);
    forget_range(address, bytes);
    std::memset(reinterpret_cast<void*>(address), 0xff, bytes);
}

void begin(const DataflowEmulationRange& range)
{
    by_region(range.address, range.bytes, [&](uintptr_t address, size_t bytes) {
        switch (range.access)
        {
        case DATAFLOW_EMULATION_READ: return read_range(address, bytes, Demand::Any);
        case DATAFLOW_EMULATION_WRITE: return forget(address, bytes);
        default: return update_range(address, bytes);
        }
    });
}

} // namespace

const char* dataflowEmulationLastError()
{
    std::lock_guard<std::recursive_mutex> lock(driver.mutex);
    return interned(scheduler.error_text())->c_str();
}

void dataflowEmulationClearError()
{
    std::lock_guard<std::recursive_mutex> lock(driver.mutex);
    scheduler.clear_error();
}

void dataflowEmulationSeed(uint64_t seed)
{
    std::lock_guard<std::recursive_mutex> lock(driver.mutex);
    scheduler.seed(seed);
}

int dataflowEmulationDeclareRanges(void* stream, const DataflowEmulationRange* ranges, int count)
{
    return with_stream(static_cast<CUstream>(stream), [&](Stream& s) {
        s.ranges = count < 0 ? nullptr : std::make_shared<DeclaredRanges>(ranges, static_cast<size_t>(count));
        return Success;
    });
}

int dataflowEmulationBegin(void* stream, const char* name, const DataflowEmulationRange* ranges, int count)
{
    return with_stream(static_cast<CUstream>(stream), [&](Stream& s) {
        s.caller = name;
        s.ranges = nullptr;
        scheduler.queue(s, "start", [touched = std::vector<DataflowEmulationRange>(ranges, ranges + count)] {
            for (const DataflowEmulationRange& range : touched)
            {
                begin(range);
            }
        });
        return Success;
    });
}

int dataflowEmulationForget(void* stream, uint64_t address, uint64_t bytes)
{
    return with_stream(static_cast<CUstream>(stream), [&](Stream& s) {
        scheduler.queue(s, "change of tenant", [=] { by_region(address, bytes, forget); });
        return Success;
    });
}

int dataflowEmulationHostAccess(const void* address, uint64_t bytes, int access)
{
    return driver_call(Needs::Context, [&] {
        const auto at = reinterpret_cast<uintptr_t>(address);
        scheduler.host_access([&] {
            if ((access & DATAFLOW_EMULATION_READ) != 0)
            {
                by_region(at, bytes, [](uintptr_t address, size_t part) { read_range(address, part, Demand::Written); });
            }

            if ((access & DATAFLOW_EMULATION_WRITE) != 0)
            {
                by_region(at, bytes, write_range);
            }
        });
        return scheduler.error();
    });
}

int dataflowEmulationSet(const char* option, int64_t value)
{
    std::lock_guard<std::recursive_mutex> lock(driver.mutex);
    const bool known = options.set(option, value);
    if (known && std::strcmp(option, "seed") == 0)
    {
        scheduler.seed(static_cast<uint64_t>(value));
    }

    return known ? 0 : 1;
}

int64_t dataflowEmulationGet(const char* figure)
{
    std::lock_guard<std::recursive_mutex> lock(driver.mutex);
    const std::pair<const char*, int64_t> all[] = {
        {"device_bytes", static_cast<int64_t>(regions.bytes_of(RegionKind::Device))},
        {"pinned_bytes", static_cast<int64_t>(regions.bytes_of(RegionKind::Host) + regions.bytes_of(RegionKind::RegisteredHost))},
        {"operations", static_cast<int64_t>(scheduler.executed)},
        {"kernels", static_cast<int64_t>(scheduler.kernels)},
        {"streams", static_cast<int64_t>(scheduler.stream_count())},
        {"events", static_cast<int64_t>(driver.events.size())},
        {"modules", static_cast<int64_t>(driver.modules.size())},
        {"free_memory", driver.free_memory()},
        {"graphs", static_cast<int64_t>(driver.executables.size())},
        {"graph_launches", static_cast<int64_t>(driver.graph_launches)},
    };
    for (const auto& [name, value] : all)
    {
        if (std::strcmp(name, figure) == 0)
        {
            return value;
        }
    }

    return -1;
}
