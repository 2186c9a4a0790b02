// One Lion update (Chen and others), in place, over a piece of a parameter object, in fp32:
//   w = w (1 - lr decay) - lr sign(beta1 m + (1 - beta1) g), with sign(0) = 0 and no number where the sum is none;
//   m = beta2 m + (1 - beta2) g.
// Clipping, types, rounding, launch: element_update.cuh. moments: m.
#include "element_update.cuh"

struct Lion
{
    static const int Moments = 1;

    float keep;
    float beta1;
    float beta2;
    float one_minus_beta1;
    float one_minus_beta2;
    float rate;

    static RULE Lion of(const StepBlock* step, float rate, float decay)
    {
        const float keep = fmaf(-rate, decay, 1.0f);
        return Lion{keep, step->beta1, step->beta2, step->one_minus_beta1, step->one_minus_beta2, rate};
    }

    RULE void apply(float& w, float g, float (&m)[1]) const
    {
        const float sum = fmaf(m[0], beta1, g * one_minus_beta1);
        const float sign = sum > 0.0f ? 1.0f : sum < 0.0f ? -1.0f : sum;
        w = fmaf(-rate, sign, w * keep);
        m[0] = fmaf(m[0], beta2, g * one_minus_beta2);
    }
};

UPDATES(lion, Lion)
