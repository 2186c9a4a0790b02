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

    static RULE AdamW of(const StepBlock* step, float keep)
    {
        AdamW f;
        f.keep = keep;
        f.beta2 = step->beta2;
        f.one_minus_beta1 = step->one_minus_beta1;
        f.one_minus_beta2 = step->one_minus_beta2;
        f.rate = step->learning_rate / step->bias_correction1;
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

extern "C" __global__ void __launch_bounds__(256) adam_w_f32(float* w, const float* g, float* moments, int64 stride, const double* norms,
    const StepBlock* step, int64 count, int32 norm_count, int32 decay)
{
    update_elements<AdamW>(w, g, moments, stride, {norms, step, count, norm_count, decay});
}
EXPORT_KERNEL(adam_w_f32)

extern "C" __global__ void __launch_bounds__(256) adam_w_bf16(bf16* w, const bf16* g, bf16* moments, int64 stride, const double* norms,
    const StepBlock* step, int64 count, int32 norm_count, int32 decay)
{
    update_elements<AdamW>(w, g, moments, stride, {norms, step, count, norm_count, decay});
}
EXPORT_KERNEL(adam_w_bf16)

extern "C" __global__ void __launch_bounds__(256) adam_w_bf16_sr(bf16* w, const float* g, bf16* moments, int64 stride, const double* norms,
    const StepBlock* step, int64 count, int32 norm_count, int32 decay, int32 object, int64 first)
{
    update_stochastically<AdamW>(w, g, moments, stride, {norms, step, count, norm_count, decay}, object, first);
}
EXPORT_KERNEL(adam_w_bf16_sr)

extern "C" __global__ void __launch_bounds__(256) adam_w_bf16_master(float* master, const float* g, float* moments, int64 stride, bf16* w,
    const double* norms, const StepBlock* step, int64 count, int32 norm_count, int32 decay)
{
    update_master<AdamW>(master, g, moments, stride, w, {norms, step, count, norm_count, decay});
}
EXPORT_KERNEL(adam_w_bf16_master)
