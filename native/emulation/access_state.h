// What a check of an access needs to know of the running operation and thread; kept flat, since every access of a kernel reads it.
#pragma once

#include "declared_ranges.h"
#include "epoch.h"

namespace emulation
{

struct AccessState
{
    Epoch now = 0;             // of the running thread
    Epoch operation_first = 0; // no earlier epoch belongs to the running operation
    Epoch block_first = 0;     // nor any earlier one to the running block
    DeclaredRanges* ranges = nullptr;
    bool doubt = false; // about the thread's last access: access_hooks.cpp
    // The part of the address space where threads' stacks lie.
    uintptr_t stacks_begin = 0;
    size_t stacks_bytes = 0;
    // Of the running kernel's file: constants lie there.
    uintptr_t image_begin = 0;
    size_t image_bytes = 0;
};

extern AccessState access_state;

} // namespace emulation
