// What the tests of kernels share: element types, reproducible numbers, and comparison with a float64 definition.
#pragma once

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "run_kernel.h"
#include "test.h"

using emulation::Array;

// A kernel of kernels/<file>.cu.
inline emulation::Kernel kernel(const std::string& file, const std::string& name, uint64_t seed = 1)
{
    emulation::Kernel found(kernel_file("../" + file), name);
    found.seed = seed;
    return found;
}

inline uint32_t divided_up(int64_t a, int64_t b) { return static_cast<uint32_t>((a + b - 1) / b); }

// Threads of a block that has `wanted` to do, as the head comments of the kernels have it.
inline uint32_t block_for(int64_t wanted, uint32_t least, uint32_t most)
{
    const uint32_t rounded = divided_up(wanted, 32) * 32;
    return rounded < least ? least : rounded > most ? most : rounded;
}

// bf16 as the host stores it.
struct Bf16
{
    uint16_t bits;
    bool operator==(const Bf16& other) const { return bits == other.bits; }
};

inline float to_float(float value) { return value; }

inline float to_float(Bf16 value)
{
    const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
    float result;
    std::memcpy(&result, &bits, 4);
    return result;
}

template <typename T> T rounded(float value);
template <> inline float rounded<float>(float value) { return value; }
template <> inline Bf16 rounded<Bf16>(float value)
{
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return Bf16{static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

template <typename T> struct Type;
template <> struct Type<float>
{
    static constexpr const char* Name = "f32";
    static constexpr double HalfUlp = 0x1p-24;
};
template <> struct Type<Bf16>
{
    static constexpr const char* Name = "bf16";
    static constexpr double HalfUlp = 0x1p-8;
};

template <typename T> constexpr int PackCount = 16 / static_cast<int>(sizeof(T));

// Elements of an access to rows of so many, and what entry points for rows that do not start on 16 bytes end in.
template <typename T> int pack_of(int64_t columns) { return columns % PackCount<T> == 0 ? PackCount<T> : 1; }

template <typename T> std::string any_rows(int64_t columns) { return columns % PackCount<T> == 0 ? "" : "_unaligned"; }

// Numbers that depend on the seed alone (splitmix64).
class Numbers
{
public:
    explicit Numbers(uint64_t seed) : _state(seed) {}

    uint64_t bits()
    {
        uint64_t z = _state += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }

    // Between -scale and scale.
    float next(float scale = 1) { return scale * static_cast<float>((static_cast<double>(bits() >> 11) * 0x1p-52) - 1); }

    int below(int count) { return static_cast<int>(bits() % static_cast<uint64_t>(count)); }

    template <typename T> std::vector<T> many(size_t count, float scale = 1)
    {
        std::vector<T> values(count);
        for (T& value : values)
        {
            value = rounded<T>(next(scale));
        }

        return values;
    }

private:
    uint64_t _state;
};

// `got` must be `expected` rounded once to its type, but for `slack` roundings in fp32 of numbers of size `scale`.
template <typename T> void check_close(T got, double expected, double scale, double slack, const std::string& where)
{
    const double allowed = std::fabs(expected) * Type<T>::HalfUlp * (1 + 0x1p-8) + slack * scale * 0x1p-24 + 1e-37;
    const double error = std::fabs(to_float(got) - expected);
    if (!(error <= allowed))
    {
        char text[200];
        std::snprintf(text, sizeof(text), "%.9g instead of %.9g, off by %.3g, allowed %.3g: ", to_float(got), expected, error, allowed);
        throw std::runtime_error(text + where);
    }
}

template <typename T> void check_same(const std::vector<T>& a, const std::vector<T>& b, const std::string& what)
{
    check(a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0, what + " differ in their bits");
}

// StepBlock of kernels/device.cuh.
struct StepBlock
{
    float learning_rate;
    float beta1;
    float beta2;
    float epsilon;
    float weight_decay;
    float bias_correction1;
    float bias_correction2;
    float loss_scale;
    float clip_norm;
    int32_t step;
    uint64_t seed;
    float one_minus_beta1;
    float one_minus_beta2;
    float momentum;
    float nesterov;
    float average_share;
    float average_decay;
};
static_assert(sizeof(StepBlock) == 72);
