// What Muon does to one whole matrix of `count` elements besides matrix products, in fp32.
//
// muon_momentum_<recipe>: with g clipped as element_update.cuh says (norms [norm_count] fp64, or null),
//     m += (1 - mu) (g - m); u = m + (1 - mu) (g - m) where nesterov is 1, which is (1 - mu) g + mu m, else u = m.
//   u is of m before that is rounded, is rounded to nearest even and overwritten; partials[b] = sum of squares of the stored u of tile b,
//   fp64, overwritten: squared_sum_total (squared_sum.cu) adds them up.
// muon_normalize_<f32|bf16>: x /= max(sqrt(squared_norm[0]), 1e-7), in place, rounded to nearest even. x on 16 bytes.
//   grid ceil(count / 2,048); block 256.
// muon_apply_<recipe>: w = w (1 - rate decay) - rate scale x, with rate = lr rate_factor, decay = weight_decay decay_factor + own_decay.
// Where the norm of all gradients is not finite (element_update.cuh), m and w stay as they are, bit for bit.
//
// Recipes and how they round m and w, which are updated in place:
//   f32: all fp32. bf16: all bf16, to nearest even. bf16_sr: g fp32, the rest bf16; m and w stochastically, by the random bits that
//   element_update.cuh says of element `first` + i of `object`. bf16_master: g, m, master fp32; u, x, w bf16; w is overwritten with
//   master, rounded to nearest even.
// w, g and m may start at any element, and `first` may be any: eight elements that share random bits are one thread's, so
//   grid ceil((first % 8 + count) / 2,048) for bf16_sr, else ceil(count / 2,048); block 256; no dynamic shared memory. u and x start on
//   16 bytes.
#include "element_update.cuh"

// The eight elements of a thread, of which those from `from` to before `to` are there. The first may lie before the matrix.
struct Eight
{
    int64 first;
    int32 from;
    int32 to;
    bool packs; // all are there, and 16 bytes may be accessed at once
};

DEVICE bool starts_on_16(const void* at) { return ((uint64)at & 15) == 0; }

// within: elements of the first thread's that lie before the matrix.
DEVICE Eight eight_of(int64 count, int32 within, bool aligned)
{
    Eight at;
    at.first = ((int64)blockIdx.x * 256 + threadIdx.x) * 8 - within;
    at.from = at.first < 0 ? (int32)-at.first : 0;
    const int64 here = count - at.first;
    at.to = here >= 8 ? 8 : here > 0 ? (int32)here : 0;
    at.packs = aligned && at.from == 0 && at.to == 8 && at.first % 8 == 0;
    return at;
}

template <typename T> DEVICE void load_eight(const T* at, float (&v)[8], const Eight& e)
{
    if (e.packs)
    {
        load_elements(at + e.first, v);
        return;
    }

#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        v[i] = i >= e.from && i < e.to ? to_float(at[e.first + i]) : 0.0f;
    }
}

template <typename T> DEVICE void store_eight(T* at, const float (&v)[8], const Eight& e)
{
    if (e.packs)
    {
        store_elements(at + e.first, v);
        return;
    }

#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        if (i >= e.from && i < e.to)
        {
            at[e.first + i] = from_float<T>(v[i]);
        }
    }
}

// Which random bits are drawn: those of value `which` of the elements from `first` of an object on.
struct Draw
{
    const StepBlock* step;
    int64 first;
    int32 object;
    uint32 which;
};

DEVICE void store_eight_stochastically(bf16* at, const float (&v)[8], const Eight& e, const Draw& draw)
{
    const int64 octet = (draw.first + e.first) / 8;
    if (e.packs)
    {
        store_stochastically(at + e.first, v, 8, octet, draw.object, draw.which, draw.step);
        return;
    }

    bf16 rounded[8];
    const uint4 random = philox(
        make_uint4((uint32)octet, (uint32)(octet >> 32), (uint32)draw.step->step, (uint32)draw.object * 4 + draw.which), draw.step->seed);
    const uint32 words[4] = {random.x, random.y, random.z, random.w};
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        rounded[i] = bf16{(uint16)round_stochastically(v[i], words[i / 2] >> i % 2 * 16 & 0xffffu)};
        if (i >= e.from && i < e.to)
        {
            at[e.first + i] = rounded[i];
        }
    }
}

template <bool Stochastic, typename T> DEVICE void store_state(T* at, const float (&v)[8], const Eight& e, const Draw& draw)
{
    if constexpr (Stochastic)
    {
        store_eight_stochastically(at, v, e, draw);
    }
    else
    {
        store_eight(at, v, e);
    }
}

template <bool Stochastic, typename G, typename M, typename U>
DEVICE void muon_momentum(const G* g, M* m, U* u, double* partials, const double* norms, const StepBlock* step, int64 count,
    int32 norm_count, int32 object, int64 first)
{
    __shared__ double scratch[32];
    const Eight at = eight_of(count, Stochastic ? (int32)(first % 8) : 0, starts_on_16(g) && starts_on_16(m) && starts_on_16(u));
    float gradient[8], moment[8], update[8];
    load_eight(g, gradient, at);
    load_eight(m, moment, at);
    const float clip = norms != nullptr ? clip_scale(step, norms, norm_count) : 1.0f;
    const float share = 1.0f - step->momentum;
    const bool nesterov = step->nesterov != 0;
    double sum = 0;
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        const float slope = gradient[i] * clip;
        moment[i] = fmaf(share, slope - moment[i], moment[i]);
        update[i] = nesterov ? fmaf(share, slope - moment[i], moment[i]) : moment[i];
        const double stored = to_float(from_float<U>(update[i]));
        sum += i >= at.from && i < at.to ? stored * stored : 0;
    }

    store_eight(u, update, at);
    if (clip == clip)
    {
        store_state<Stochastic>(m, moment, at, {step, first, object, 1});
    }

    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0)
    {
        partials[blockIdx.x] = sum;
    }
}

template <typename T> DEVICE void muon_normalize(T* x, const double* squared_norm, int64 count)
{
    const Eight at = eight_of(count, 0, true);
    const double norm = sqrt(squared_norm[0]);
    const float divisor = (float)(norm < 1e-7 ? 1e-7 : norm);
    float v[8];
    load_eight(x, v, at);
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        v[i] /= divisor;
    }

    store_eight(x, v, at);
}

// What a step makes of a matrix's rate and decay.
struct Move
{
    float scale;
    float rate_factor;
    float decay_factor;
    float own_decay;
    const double* norms;
    int32 norm_count;
};

// False where the norm of all gradients is not finite: then the weights are as they were. All threads must call it.
template <typename W, typename X>
DEVICE bool moved(float (&weight)[8], const W* w, const X* x, const Eight& at, const StepBlock* step, const Move& by)
{
    float direction[8];
    load_eight(w, weight, at);
    load_eight(x, direction, at);
    const float clip = by.norms != nullptr ? clip_scale(step, by.norms, by.norm_count) : 1.0f;
    if (clip != clip)
    {
        return false;
    }

    const float rate = step->learning_rate * by.rate_factor;
    const float keep = fmaf(-rate, fmaf(step->weight_decay, by.decay_factor, by.own_decay), 1.0f);
    const float reach = rate * by.scale;
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        weight[i] = fmaf(-reach, direction[i], weight[i] * keep);
    }

    return true;
}

template <bool Stochastic, typename T>
DEVICE void muon_apply(T* w, const T* x, const StepBlock* step, const Move& by, int64 count, int32 object, int64 first)
{
    const Eight at = eight_of(count, Stochastic ? (int32)(first % 8) : 0, starts_on_16(w) && starts_on_16(x));
    float weight[8];
    if (moved(weight, w, x, at, step, by))
    {
        store_state<Stochastic>(w, weight, at, {step, first, object, 0});
    }
}

#define MUON_MOMENTUM(name, G, M, U)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256) name(const G* g, M* m, U* u, double* partials, const double* norms,             \
        const StepBlock* step, int64 count, int32 norm_count)                                                                         \
    {                                                                                                                                 \
        muon_momentum<false>(g, m, u, partials, norms, step, count, norm_count, 0, 0);                                                \
    }                                                                                                                                 \
    EXPORT_KERNEL(name)

MUON_MOMENTUM(muon_momentum_f32, float, float, float)
MUON_MOMENTUM(muon_momentum_bf16, bf16, bf16, bf16)
MUON_MOMENTUM(muon_momentum_bf16_master, float, float, bf16)

extern "C" __global__ void __launch_bounds__(256) muon_momentum_bf16_sr(const float* g, bf16* m, bf16* u, double* partials,
    const double* norms, const StepBlock* step, int64 count, int32 norm_count, int32 object, int64 first)
{
    muon_momentum<true>(g, m, u, partials, norms, step, count, norm_count, object, first);
}
EXPORT_KERNEL(muon_momentum_bf16_sr)

#define MUON_NORMALIZE(name, T)                                                                                       \
    extern "C" __global__ void __launch_bounds__(256) name(T* x, const double* squared_norm, int64 count)             \
    {                                                                                                                 \
        muon_normalize(x, squared_norm, count);                                                                       \
    }                                                                                                                 \
    EXPORT_KERNEL(name)

MUON_NORMALIZE(muon_normalize_f32, float)
MUON_NORMALIZE(muon_normalize_bf16, bf16)

#define MUON_APPLY(name, T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256) name(T* w, const T* x, const StepBlock* step, float scale,                  \
        float rate_factor, float decay_factor, float own_decay, const double* norms, int32 norm_count, int64 count)               \
    {                                                                                                                             \
        muon_apply<false>(w, x, step, {scale, rate_factor, decay_factor, own_decay, norms, norm_count}, count, 0, 0);             \
    }                                                                                                                             \
    EXPORT_KERNEL(name)

MUON_APPLY(muon_apply_f32, float)
MUON_APPLY(muon_apply_bf16, bf16)

extern "C" __global__ void __launch_bounds__(256) muon_apply_bf16_sr(bf16* w, const bf16* x, const StepBlock* step, float scale,
    float rate_factor, float decay_factor, float own_decay, const double* norms, int32 norm_count, int64 count, int32 object, int64 first)
{
    muon_apply<true>(w, x, step, {scale, rate_factor, decay_factor, own_decay, norms, norm_count}, count, object, first);
}
EXPORT_KERNEL(muon_apply_bf16_sr)

extern "C" __global__ void __launch_bounds__(256) muon_apply_bf16_master(float* master, const bf16* x, bf16* w, const StepBlock* step,
    float scale, float rate_factor, float decay_factor, float own_decay, const double* norms, int32 norm_count, int64 count)
{
    const Eight at = eight_of(count, 0, starts_on_16(master) && starts_on_16(x) && starts_on_16(w));
    float weight[8];
    if (moved(weight, master, x, at, step, {scale, rate_factor, decay_factor, own_decay, norms, norm_count}))
    {
        store_eight(master, weight, at);
    }

    store_eight(w, weight, at);
}
EXPORT_KERNEL(muon_apply_bf16_master)
