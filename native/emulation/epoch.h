// When and by whom memory was touched, in 64 bits: an interval (between two block barriers of one block; numbered through the life
// of the process), the warp's own interval (between two warp barriers) within it, the thread, and a kind. Later intervals have
// greater epochs, so that `epoch >= first epoch of the launch` asks whether the running launch did it.
#pragma once

#include <cstdint>

namespace emulation
{

typedef uint64_t Epoch;

constexpr int IntervalShift = 28;
constexpr int WarpIntervalShift = 12;
constexpr int ThreadShift = 2;
constexpr Epoch ThreadMask = 0x3ff << ThreadShift;
constexpr Epoch WarpMask = 0x3e0 << ThreadShift;
constexpr Epoch KindMask = 3;
constexpr Epoch MaxWarpIntervals = 0xffff;

// Kinds of a last read.
constexpr Epoch OneThread = 0;
constexpr Epoch OneWarp = 1;
constexpr Epoch OneBlock = 2;
constexpr Epoch ManyBlocks = 3;

// Kinds of a last write.
constexpr Epoch Plain = 0;
constexpr Epoch Atomic = 1;
constexpr Epoch Pending = 2; // an asynchronous copy that has not landed
constexpr Epoch Agreed = 3;  // several threads wrote the same value

constexpr Epoch make_epoch(uint64_t interval) { return interval << IntervalShift; }

inline uint32_t thread_of(Epoch epoch) { return static_cast<uint32_t>((epoch & ThreadMask) >> ThreadShift); }

// Whether an access by a thread of the same block comes before what happens now, by a barrier or as the same thread's.
inline bool ordered_in_block(Epoch earlier, Epoch now)
{
    const Epoch differ = earlier ^ now;
    return (differ & ThreadMask) == 0 || earlier >> IntervalShift < now >> IntervalShift ||
        ((differ & WarpMask) == 0 && earlier >> WarpIntervalShift < now >> WarpIntervalShift);
}

// Lanes of a warp that wrote the same value may read it back.
inline bool readable_in_block(Epoch written, Epoch now)
{
    return ordered_in_block(written, now) || ((written & KindMask) == Agreed && ((written ^ now) & WarpMask) == 0);
}

inline bool both_atomic(Epoch written, Epoch kind) { return kind == Atomic && (written & KindMask) == Atomic; }

// The same for the readers that `reads` stands for.
inline bool reads_ordered_in_block(Epoch reads, Epoch now)
{
    switch (reads & KindMask)
    {
    case OneThread: return ordered_in_block(reads, now);
    case OneWarp:
        return reads >> IntervalShift < now >> IntervalShift ||
            (((reads ^ now) & WarpMask) == 0 && reads >> WarpIntervalShift < now >> WarpIntervalShift);
    case OneBlock: return reads >> IntervalShift < now >> IntervalShift;
    default: return false;
    }
}

// The reads of one block and a read now, together: what comes before `now` by a barrier need not be kept.
inline Epoch with_read(Epoch reads, Epoch now)
{
    if (reads >> IntervalShift < now >> IntervalShift)
    {
        return now;
    }

    if ((reads & KindMask) >= OneBlock)
    {
        return reads;
    }

    if (((reads ^ now) & WarpMask) != 0)
    {
        return (reads & ~KindMask) | OneBlock;
    }

    if (reads >> WarpIntervalShift < now >> WarpIntervalShift)
    {
        return now;
    }

    return ((reads ^ now) & ThreadMask) == 0 ? reads : (reads & ~KindMask) | OneWarp;
}

} // namespace emulation
