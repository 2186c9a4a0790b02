// What a thread of qk_norm_rope.cu holds of a head: its share of the block's heads, and its runs of elements.
#pragma once

#include "device.cuh"

// How the block's threads share its heads: `lanes` threads a head, each with the run of elements of its first half that begins at
// `start` (half or more where a lane has none) and the same run of its second. Group g takes heads g, g + groups, ... of all tokens.
struct Share
{
    int tokens;
    int half;
    int start;
    int lanes;
    int group;
    int groups;
};

// How half a head is made of runs: of whole ones, read at once; of elements one by one; or of elements of which a run has eight, so that
// 32 lanes hold the widest head.
enum class Fit
{
    Packs,
    Elements,
    Eights,
};

// Elements of a run.
template <Fit Whole, typename T> constexpr DEVICE int width_of() { return Whole == Fit::Eights ? 8 : Pack<T>::Count; }

// A thread's part of a head: its run of each half.
template <int Width> struct Runs
{
    float v[2][Width];
};

// The runs at `head` and `distance` after it, zero where there is no element.
template <Fit Whole, int Width, typename T> DEVICE Runs<Width> load_runs(const T* head, int distance, bool active, const Share& share)
{
    Runs<Width> runs = {};
#pragma unroll
    for (int side = 0; side < 2; side++)
    {
        const T* at = head + side * distance + share.start;
        if constexpr (Whole == Fit::Packs)
        {
            if (active && share.start < share.half)
            {
                load_elements(at, runs.v[side]);
            }
        }
        else
        {
#pragma unroll
            for (int c = 0; c < Width; c++)
            {
                runs.v[side][c] = active && share.start + c < share.half ? to_float(at[c]) : 0.0f;
            }
        }
    }

    return runs;
}

template <Fit Whole, int Width, typename T> DEVICE void store_runs(T* head, const Runs<Width>& runs, bool active, const Share& share)
{
#pragma unroll
    for (int side = 0; side < 2; side++)
    {
        T* at = head + side * share.half + share.start;
        if constexpr (Whole == Fit::Packs)
        {
            if (active && share.start < share.half)
            {
                store_elements(at, runs.v[side]);
            }
        }
        else
        {
#pragma unroll
            for (int c = 0; c < Width; c++)
            {
                if (active && share.start + c < share.half)
                {
                    at[c] = from_float<T>(runs.v[side][c]);
                }
            }
        }
    }
}
