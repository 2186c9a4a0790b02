// Activations and their derivatives in float64, and how large an error of either may be in units of fp32's rounding.
#pragma once

#include <algorithm>
#include <cmath>

struct ActivationPoint
{
    double value, slope;

    // What errors are relative to: the sums' terms, or by how much the argument's own rounding moves an exponential.
    double value_size, slope_size;

    // Below 2^-126 the special function unit's reciprocal is zero, and so are exponentials.
    double flushed;
};

typedef ActivationPoint (*Activation)(double g);

inline ActivationPoint silu(double g)
{
    const double sigmoid = 1 / (1 + std::exp(-g)), value = g * sigmoid;
    return {value, sigmoid * (1 + g * (1 - sigmoid)), std::fabs(value), sigmoid * (1 + std::fabs(g)),
        g < -87 ? std::fabs(g) * 0x1p-102 : 0};
}

inline ActivationPoint gelu(double g)
{
    const double below = 0.5 * std::erfc(-g / std::sqrt(2.0)), density = std::exp(-g * g / 2) / std::sqrt(2 * std::acos(-1.0));
    const double value = g * below, moved = 1 + g * g / 2, tail = g < 0 ? moved : 1;
    return {value, below + g * density, std::fabs(value) * tail, below * tail + std::fabs(g) * density * moved, std::fabs(g) * 0x1p-100};
}

inline ActivationPoint gelu_tanh(double g)
{
    const double root = std::sqrt(2 / std::acos(-1.0)), z = 2 * root * (g + 0.044715 * g * g * g);
    const double growth = 2 * root * (1 + 3 * 0.044715 * g * g), sigmoid = 1 / (1 + std::exp(-z)), rest = 1 / (1 + std::exp(z));
    const double value = g * sigmoid, bend = value * rest * growth, moved = 1 + std::min(std::fabs(z), 90.0);

    // One minus a sigmoid near 1 has the sigmoid's error, until that is 1.
    const double cancelled = z < 20 ? std::fabs(value * growth) : 0;
    return {value, bend + sigmoid, std::fabs(value) * moved, (std::fabs(bend) + sigmoid) * moved + cancelled, std::fabs(g) * 0x1p-100};
}

inline ActivationPoint relu(double g) { return {std::max(g, 0.0), g > 0 ? 1.0 : 0.0, std::max(g, 0.0), g > 0 ? 1.0 : 0.0, 0}; }

inline ActivationPoint squared_relu(double g)
{
    const double positive = std::max(g, 0.0);
    return {positive * positive, 2 * positive, positive * positive, 2 * positive, 0x1p-126};
}
