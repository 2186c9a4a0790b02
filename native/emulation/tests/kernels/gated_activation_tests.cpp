#include "kernel_test.h"

namespace
{

template <typename T> void check_shape(int rows, int columns)
{
    Numbers numbers(columns);
    const std::string shape = std::to_string(rows) + " x " + std::to_string(columns);
    std::vector<T> gate_up = numbers.many<T>(static_cast<size_t>(rows) * 2 * columns, 8);
    const float corners[] = {0.0f, -0.0f, 200.0f, -200.0f, 88.5f, -88.5f, 1e-30f, -1e-30f};
    for (int i = 0; i < 4; i++)
    {
        gate_up[i] = rounded<T>(corners[2 * i]);
        gate_up[static_cast<size_t>(rows - 1) * 2 * columns + i] = rounded<T>(corners[2 * i + 1]);
    }

    const std::vector<T> gradient = numbers.many<T>(static_cast<size_t>(rows) * columns);
    const uint32_t grid = rows * divided_up(columns / PackCount<T>, 512);
    Array<T> device_gate_up(gate_up), device_gradient(gradient), out(gradient.size());
    kernel("gated_activation", std::string("swi_glu_forward_") + Type<T>::Name)
        .run({grid}, {256}, 0, device_gate_up.device(), out.device(), columns);
    const std::vector<T> forward = out.host();
    kernel("gated_activation", std::string("swi_glu_backward_") + Type<T>::Name)
        .run({grid}, {256}, 0, device_gradient.device(), device_gate_up.device(), columns);
    check_same(device_gradient.host(), forward, "the forward and what the backward repeats of it");

    const std::vector<T> result = device_gate_up.host();
    for (int r = 0; r < rows; r++)
    {
        for (int c = 0; c < columns; c++)
        {
            const size_t at = static_cast<size_t>(r) * columns + c, gate = static_cast<size_t>(r) * 2 * columns + c, up = gate + columns;
            const double g = to_float(gate_up[gate]), u = to_float(gate_up[up]), ds = to_float(gradient[at]);
            const double sigmoid = 1 / (1 + std::exp(-g)), silu = g * sigmoid;

            // Below 2^-126 the reciprocal is zero.
            const double flushed = g < -87 ? std::fabs(g) * 0x1p-102 : 0;
            check_close(forward[at], silu * u, std::fabs(silu * u) + flushed, 12, "s, " + shape);
            check_close(result[gate], ds * u * sigmoid * (1 + g * (1 - sigmoid)),
                std::fabs(ds * u) * sigmoid * (1 + std::fabs(g)) + flushed, 12, "dg, " + shape);
            check_close(result[up], ds * silu, std::fabs(ds * silu) + flushed, 12, "du, " + shape);
        }
    }
}

} // namespace

TEST(SwiGluIsItsDefinitionAndItsBackwardRepeatsTheForwardsBits)
{
    for (int columns : {8, 64, 176, 480, 4096, 4104})
    {
        check_shape<float>(3, columns);
        check_shape<Bf16>(3, columns);
    }

    check_shape<float>(1, 12);
    check_shape<Bf16>(2, 14336);
}
