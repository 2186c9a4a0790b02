/* The innermost products of matrices, 12 x 32 in 512-bit vectors: what NativeKernels of src/Dataflow.Cpu/Kernels/Internals calls.
 *
 * tile (12 x 32 fp32, dense) = start + sum over k of a[k][i] * b[k][j]. Chains of fused multiply-adds, each rounded once to nearest, start
 * from zero and are added to the tile in ascending k: the definition of IMicroKernel, so the same bits as its managed implementations.
 * Singles: fp32, a panel's word is one k (a: words x 12, b: words x 32).
 * Pairs: bf16, a word holds k = 2 n in its upper half and k = 2 n + 1 in its lower half. The dot product of pairs adds the upper half's
 * product first, then the lower half's, each by a fused multiply-add; it takes what is below the smallest normal fp32, 1.2e-38, as zero. */

#include <cpuid.h>
#include <cstdint>
#include <immintrin.h>

#define EXPORT extern "C" __attribute__((visibility("default")))
#define SINGLES __attribute__((target("avx512f")))
#define PAIRS __attribute__((target("avx512f,avx512bw,avx512bf16")))

/* Chains of at most `chain` words: from zero, or from the tile's contents. One text for both types, since a target's instructions are not
 * inlined into a function of another. */
#define CHAINS(MULTIPLY_ADD)                                                                                                               \
    for (int i = 0; i < rows * columns; i += 16) {                                                                                         \
        __builtin_prefetch(tile + i, 1);                                                                                                   \
    }                                                                                                                                      \
    do {                                                                                                                                   \
        __m512 c[rows][2];                                                                                                                 \
        _Pragma("GCC unroll 12") for (int i = 0; i < rows; i++) { c[i][0] = c[i][1] = _mm512_setzero_ps(); }                               \
        int many = words < chain ? words : chain;                                                                                          \
        for (int n = 0; n < many; n++, a += rows, b += columns) {                                                                          \
            __m512 x = _mm512_loadu_ps(b), y = _mm512_loadu_ps(b + 16);                                                                    \
            _Pragma("GCC unroll 12") for (int i = 0; i < rows; i++)                                                                        \
            {                                                                                                                              \
                __m512 s = _mm512_set1_ps(a[i]);                                                                                           \
                c[i][0] = MULTIPLY_ADD(c[i][0], s, x);                                                                                     \
                c[i][1] = MULTIPLY_ADD(c[i][1], s, y);                                                                                     \
            }                                                                                                                              \
        }                                                                                                                                  \
        _Pragma("GCC unroll 12") for (int i = 0; i < rows; i++)                                                                            \
        {                                                                                                                                  \
            float* row = tile + i * columns;                                                                                               \
            if (from_tile) {                                                                                                               \
                c[i][0] = _mm512_add_ps(_mm512_loadu_ps(row), c[i][0]);                                                                    \
                c[i][1] = _mm512_add_ps(_mm512_loadu_ps(row + 16), c[i][1]);                                                               \
            }                                                                                                                              \
            _mm512_storeu_ps(row, c[i][0]);                                                                                                \
            _mm512_storeu_ps(row + 16, c[i][1]);                                                                                           \
        }                                                                                                                                  \
        words -= many;                                                                                                                     \
        from_tile = 1;                                                                                                                     \
    } while (words > 0)

namespace {

constexpr int rows = 12, columns = 32;
constexpr int none = 0, singles = 1, pairs = 2;

SINGLES inline __m512 add_single(__m512 sum, __m512 a, __m512 b) { return _mm512_fmadd_ps(a, b, sum); }

PAIRS inline __m512 add_pair(__m512 sum, __m512 a, __m512 b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }

bool has(unsigned value, int bit) { return value >> bit & 1; }

// What the processor has and the system saves: 512-bit registers, and with them dot products of pairs.
int instructions()
{
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, 27)) {
        return none;
    }

    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    const unsigned saved = 0xe6;
    if ((low & saved) != saved || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has(b, 16)) {
        return none;
    }

    bool wide = has(b, 30);
    return wide && __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, 5) ? pairs : singles;
}

} // namespace

EXPORT SINGLES void dataflowCpuSingles(int words, int chain, const float* a, const float* b, float* tile, int from_tile)
{
    CHAINS(add_single);
}

EXPORT PAIRS void dataflowCpuPairs(int words, int chain, const float* a, const float* b, float* tile, int from_tile)
{
    CHAINS(add_pair);
}

/* What may be called here: 0 nothing, 1 singles, 2 pairs too, if the processor adds them in the order that is said above. */
EXPORT int dataflowCpuInstructions(void)
{
    int found = instructions();
    if (found < pairs) {
        return found;
    }

    // The first word's upper half, then the second's halves. 2^-25 is lost beside -1 and stays beside 0, if the upper half comes first;
    // twice 2^-24 is lost beside 1, if each half is rounded.
    const uint32_t one = 0x3f80, minus_one = 0xbf80, less = 0x3380, least = 0x3300;
    const struct { uint32_t first, second; float sum; } cases[] = {
        {minus_one << 16, one << 16 | least, 0x1p-25f}, {one << 16, less << 16 | less, 1}};
    for (auto& one_case : cases) {
        uint32_t a[2 * rows], b[2 * columns];
        float tile[rows * columns], panel_a[2 * rows], panel_b[2 * columns];
        for (int i = 0; i < 2 * rows; i++) {
            a[i] = i < rows ? one_case.first : one_case.second;
        }

        for (uint32_t& word : b) {
            word = one << 16 | one;
        }

        __builtin_memcpy(panel_a, a, sizeof a);
        __builtin_memcpy(panel_b, b, sizeof b);
        dataflowCpuPairs(2, 2, panel_a, panel_b, tile, 0);
        for (float sum : tile) {
            if (sum != one_case.sum) {
                return singles;
            }
        }
    }

    return pairs;
}
