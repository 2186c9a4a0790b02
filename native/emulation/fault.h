// A finding: the driver's status and one sentence that says what happened where.
#pragma once

#include <stdexcept>
#include <string>

namespace emulation
{

enum class FaultKind
{
    IllegalAddress = 700,
    MisalignedAddress = 716,
    LaunchFailed = 719,
};

class Fault : public std::runtime_error
{
public:
    Fault(FaultKind kind, const std::string& sentence) : std::runtime_error(sentence), kind(kind) {}

    FaultKind kind;
};

} // namespace emulation
