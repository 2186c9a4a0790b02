#include "options.h"

#include <cstdlib>
#include <utility>

namespace emulation
{

namespace
{

Options from_environment()
{
    Options options;
    const char* text = std::getenv("DATAFLOW_EMULATION");
    std::string rest = text == nullptr ? "" : text;
    while (!rest.empty())
    {
        const std::string entry = rest.substr(0, rest.find(','));
        rest = entry.size() == rest.size() ? "" : rest.substr(entry.size() + 1);
        const size_t equals = entry.find('=');
        if (equals != std::string::npos)
        {
            options.set(entry.substr(0, equals), std::strtoll(entry.c_str() + equals + 1, nullptr, 10));
        }
    }

    return options;
}

} // namespace

// Before the objects of other files, which read it.
Options options __attribute__((init_priority(200))) = from_environment();

bool Options::set(const std::string& name, int64_t value)
{
    const std::pair<const char*, int64_t Options::*> all[] = {
        {"seed", &Options::seed},
        {"device_count", &Options::device_count},
        {"driver_version", &Options::driver_version},
        {"multiprocessors", &Options::multiprocessors},
        {"total_memory", &Options::total_memory},
        {"context_memory", &Options::context_memory},
        {"others_memory", &Options::others_memory},
        {"others_growth", &Options::others_growth},
        {"pinned_limit", &Options::pinned_limit},
        {"host_registration", &Options::host_registration},
        {"cublas", &Options::cublas},
        {"cudnn", &Options::cudnn},
        {"cudnn_version", &Options::cudnn_version},
        {"cudnn_workspace", &Options::cudnn_workspace},
        {"capability", &Options::capability},
        {"nvml", &Options::nvml},
        {"stream_capture", &Options::stream_capture},
        {"shared_memory_per_block", &Options::shared_memory_per_block},
    };
    for (const auto& [known, member] : all)
    {
        if (name == known)
        {
            this->*member = value;
            return true;
        }
    }

    return false;
}

} // namespace emulation
