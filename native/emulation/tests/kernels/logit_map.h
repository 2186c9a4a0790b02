// What the softmax sees of logits, in float64: they are multiplied by a scale and, where there is a cap, bounded by it.
#pragma once

#include <cmath>
#include <string>

struct LogitMap
{
    float scale = 1;
    float cap = 0;

    double operator()(double raw) const { return cap > 0 ? cap * std::tanh(scale * raw / cap) : scale * raw; }

    double slope(double raw) const { return cap > 0 ? scale * (1 - std::pow(std::tanh(scale * raw / cap), 2)) : scale; }

    // How far off a mapped logit may be, in units of fp32's rounding; beside the gradient itself that is what it moves an exponential by.
    double slack(double mapped) const { return cap > 0 ? 8 * std::fabs(mapped) : scale == 1 ? 0 : std::fabs(mapped); }

    // Likewise of the slope: one minus the square of a tanh loses what that has.
    double slope_slack() const { return cap > 0 ? 8 * scale : 0; }

    std::string infix() const { return cap > 0 ? "capped_" : ""; }

    std::string suffix() const { return cap > 0 ? "_capped" : ""; }
};
