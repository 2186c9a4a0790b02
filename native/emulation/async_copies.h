// Copies from global to shared memory that land as late as they may: when the thread waits for their group. Until then their
// destination is poisoned, so that a kernel which does not wait computes NaNs.
#pragma once

#include <cstdint>

#include "block_runtime.h"

namespace emulation
{

enum class CopiesOf
{
    CommittedGroups,
    EndOfThread, // all of them
};

// Lets the thread's oldest copies land until at most `pending` groups are under way.
void complete_copies(Thread& thread, uint32_t pending, CopiesOf which);

} // namespace emulation
