// Checks of single accesses by kernels. They end the launch where they find something.
#pragma once

#include <cstddef>
#include <cstdint>

#include "epoch.h"

namespace emulation
{

void check_read(uintptr_t address, size_t bytes);
void check_write(uintptr_t address, size_t bytes, Epoch kind = Plain);

// Before another thread runs: what is still in doubt about this thread's last access is decided.
void settle_accesses();

// An atomic read and write: it does not conflict with other ones of the launch.
void check_atomic(uintptr_t address, size_t bytes);

// Words by which blocks hand work to each other: block_handover.h.
void check_acquire(uintptr_t address, size_t bytes);
void check_release(uintptr_t address, size_t bytes);

} // namespace emulation
