// What the lanes of a warp do together: shuffles, ldmatrix and mma, with the lane layouts of the PTX ISA.
#pragma once

#include "block_runtime.h"

namespace emulation
{

const char* warp_operation_name(WarpOperation operation);

// All 32 lanes have arrived with their arguments; results are written there.
void perform_warp_operation(WarpOperation operation, Thread* lanes);

} // namespace emulation
