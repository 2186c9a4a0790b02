// One schedule-free AdamW update (Defazio and others), in place, over a piece of a parameter object, in fp32. Weights are y:
//   v = beta2 v + (1 - beta2) g^2; u = g / (sqrt(v) / sqrt(1 - beta2^t) + eps) + decay y;
//   y += c (z - y) + lr (beta1 (1 - c) - 1) u; then z -= lr u, with z and v before they are rounded to their type; c is the step's share
//   of the average. Root and reciprocal are the special function unit's (1 ulp).
// Clipping, types, rounding, launch: element_update.cuh. moments: z, then v.
#include "element_update.cuh"

struct ScheduleFree
{
    static const int Moments = 2;

    float beta2;
    float one_minus_beta2;
    float root_correction; // 1 / sqrt(1 - beta2^t)
    float epsilon;
    float decay;
    float share;
    float rate;
    float rate_of_y;

    static RULE ScheduleFree of(const StepBlock* step, float rate, float decay)
    {
        ScheduleFree f;
        f.beta2 = step->beta2;
        f.one_minus_beta2 = step->one_minus_beta2;
        f.root_correction = 1.0f / sqrtf(step->bias_correction2);
        f.epsilon = step->epsilon;
        f.decay = decay;
        f.share = step->average_share;
        f.rate = rate;
        // beta1 (1 - c) - 1 = -(1 - beta1) - beta1 c, which loses no digits.
        f.rate_of_y = -rate * fmaf(step->beta1, step->average_share, step->one_minus_beta1);
        return f;
    }

    RULE void apply(float& w, float g, float (&m)[2]) const
    {
        m[1] = fmaf(m[1], beta2, g * g * one_minus_beta2);
        const float divisor = fmaf(sqrt_fast(m[1]), root_correction, epsilon);
        const float update = fmaf(g, reciprocal_fast(divisor), decay * w);
        w = fmaf(rate_of_y, update, fmaf(share, m[0] - w, w));
        m[0] = fmaf(-rate, update, m[0]);
    }
};

UPDATES(schedule_free, ScheduleFree)
