// Checks of single accesses by kernels. They end the launch where they find something.
#pragma once

#include <cstddef>
#include <cstdint>

#include "epoch.h"

namespace emulation
{

void check_read(uintptr_t address, size_t bytes);
void check_write(uintptr_t address, size_t bytes, Epoch kind = Plain);

// An atomic read and write: it does not conflict with other ones of the launch.
void check_atomic(uintptr_t address, size_t bytes);

} // namespace emulation
