// One decoupled AdamW update (Loshchilov and Hutter), in place, over a piece of a parameter object, in fp32:
//   w *= 1 - lr decay; m += (1 - beta1) (g - m); v = beta2 v + (1 - beta2) g^2;
//   w -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps), with m and v before they are rounded to their type. Root and
//   reciprocal are the special function unit's (1 ulp).
// Clipping, types, rounding, launch: element_update.cuh. moments: m, then v.
#include "element_update.cuh"

struct AdamW
{
    static const int Moments = 2;

    float keep;
    float beta2;
    float one_minus_beta1;
    float one_minus_beta2;
    float rate;
    float root_correction; // 1 / sqrt(1 - beta2^t)
    float epsilon;

    static RULE AdamW of(const StepBlock* step, float rate, float decay)
    {
        AdamW f;
        f.keep = fmaf(-rate, decay, 1.0f);
        f.beta2 = step->beta2;
        f.one_minus_beta1 = step->one_minus_beta1;
        f.one_minus_beta2 = step->one_minus_beta2;
        f.rate = rate / step->bias_correction1;
        f.root_correction = 1.0f / sqrtf(step->bias_correction2);
        f.epsilon = step->epsilon;
        return f;
    }

    RULE void apply(float& w, float g, float (&m)[2]) const
    {
        m[0] = fmaf(one_minus_beta1, g - m[0], m[0]);
        m[1] = fmaf(m[1], beta2, g * g * one_minus_beta2);
        const float divisor = fmaf(sqrt_fast(m[1]), root_correction, epsilon);
        w = fmaf(-rate * m[0], reciprocal_fast(divisor), w * keep);
    }
};

UPDATES(adam_w, AdamW)
