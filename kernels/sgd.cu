// One update of stochastic gradient descent, in place, over a piece of a parameter object, in fp32:
//   g += decay w; m = momentum m + g; w -= lr m, or, where nesterov is 1, w -= lr (g + momentum m).
// Clipping, types, rounding, launch: element_update.cuh. moments: m.
#include "element_update.cuh"

struct Sgd
{
    static const int Moments = 1;

    float decay;
    float momentum;
    float nesterov;
    float rate;

    static RULE Sgd of(const StepBlock* step, float rate, float decay)
    {
        return Sgd{decay, step->momentum, step->nesterov, rate};
    }

    RULE void apply(float& w, float g, float (&m)[1]) const
    {
        const float slope = fmaf(w, decay, g);
        const float sum = fmaf(m[0], momentum, slope);
        const float ahead = fmaf(sum, momentum, slope);
        w = fmaf(-rate, fmaf(ahead - sum, nesterov, sum), w);
        m[0] = sum;
    }
};

UPDATES(sgd, Sgd)
