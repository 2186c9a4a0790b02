// The values of 8-bit codes of numbers that are divided by their block's largest magnitude (DynamicMap of src/Dataflow.Model is the
// definition). Places are the values above 0, ascending from 1; each of the seven powers of ten has twice as many as the one below it.
#ifndef DYNAMIC_MAP_CUH
#define DYNAMIC_MAP_CUH

#include "device.cuh"

DEVICE float dynamic_power(int decade)
{
    return decade == 0   ? 1e-6f
           : decade == 1 ? 1e-5f
           : decade == 2 ? 1e-4f
           : decade == 3 ? 1e-3f
           : decade == 4 ? 1e-2f
           : decade == 5 ? 1e-1f
                         : 1.0f;
}

// One end of `count` parts of [0.1, 1], each of length `step`: each half from its own end.
DEVICE float dynamic_border(int i, int count, float step)
{
    return 2 * i < count ? fmaf(step, (float)i, 0.1f) : fmaf(-step, (float)(count - i), 1.0f);
}

template <bool IsSigned> DEVICE float dynamic_value(int code)
{
    const int zero = IsSigned ? 127 : 0;
    const int place = code < zero ? zero - code : code - zero;
    if (place == 0)
    {
        return 0.0f;
    }

    if (code == 255)
    {
        return 1.0f;
    }

    int decade = 0;
    int first = 1;
    int count = IsSigned ? 1 : 2;
    float step = (1.0f - 0.1f) / (float)count;
    while (place >= first + count)
    {
        first += count;
        count *= 2;
        step *= 0.5f;
        decade++;
    }

    const float mean = (dynamic_border(place - first, count, step) + dynamic_border(place - first + 1, count, step)) * 0.5f;
    const float found = product(dynamic_power(decade), mean);
    return code < zero ? -found : found;
}

#endif
