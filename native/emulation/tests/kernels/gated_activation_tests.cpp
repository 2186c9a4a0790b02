#include "activation_definition.h"
#include "kernel_test.h"

namespace
{

template <typename T> void check_shape(const std::string& unit, const Activation& activation, int rows, int columns)
{
    Numbers numbers(columns);
    const std::string shape = unit + ", " + std::to_string(rows) + " x " + std::to_string(columns);
    std::vector<T> gate_up = numbers.many<T>(static_cast<size_t>(rows) * 2 * columns, 8);
    const float corners[] = {0.0f, -0.0f, 200.0f, -200.0f, 88.5f, -88.5f, 1e-30f, -1e-30f};
    for (int i = 0; i < 4; i++)
    {
        gate_up[i] = rounded<T>(corners[2 * i]);
        gate_up[static_cast<size_t>(rows - 1) * 2 * columns + i] = rounded<T>(corners[2 * i + 1]);
    }

    const std::vector<T> gradient = numbers.many<T>(static_cast<size_t>(rows) * columns);
    const uint32_t grid = rows * divided_up(columns / pack_of<T>(columns), 512);
    Array<T> device_gate_up(gate_up), device_gradient(gradient), out(gradient.size());
    kernel("gated_activation", unit + "_forward_" + Type<T>::Name + any_rows<T>(columns))
        .run({grid}, {256}, 0, device_gate_up.device(), out.device(), columns);
    const std::vector<T> forward = out.host();
    kernel("gated_activation", unit + "_backward_" + Type<T>::Name + any_rows<T>(columns))
        .run({grid}, {256}, 0, device_gradient.device(), device_gate_up.device(), columns);
    check_same(device_gradient.host(), forward, "the forward and what the backward repeats of it");

    const std::vector<T> result = device_gate_up.host();
    for (int r = 0; r < rows; r++)
    {
        for (int c = 0; c < columns; c++)
        {
            const size_t at = static_cast<size_t>(r) * columns + c, gate = static_cast<size_t>(r) * 2 * columns + c, up = gate + columns;
            const double g = to_float(gate_up[gate]), u = to_float(gate_up[up]), ds = to_float(gradient[at]);
            const ActivationPoint at_g = activation(g);
            const double value = at_g.value_size + at_g.flushed, slope = at_g.slope_size + at_g.flushed;
            check_close(forward[at], at_g.value * u, std::fabs(u) * value, 12, "s, " + shape);
            check_close(result[gate], ds * u * at_g.slope, std::fabs(ds * u) * slope, 12, "dg, " + shape);
            check_close(result[up], ds * at_g.value, std::fabs(ds) * value, 12, "du, " + shape);
        }
    }
}

} // namespace

TEST(SwiGluIsItsDefinitionAndItsBackwardRepeatsTheForwardsBits)
{
    for (int columns : {8, 64, 176, 480, 4096, 4104, 43, 1030})
    {
        check_shape<float>("swi_glu", silu, 3, columns);
        check_shape<Bf16>("swi_glu", silu, 3, columns);
    }

    check_shape<float>("swi_glu", silu, 1, 12);
    check_shape<Bf16>("swi_glu", silu, 2, 14336);
}

TEST(OtherGatedUnitsAreTheirDefinitions)
{
    const std::pair<std::string, Activation> units[] = {
        {"ge_glu", gelu}, {"ge_glu_tanh", gelu_tanh}, {"re_glu", relu}, {"squared_re_glu", squared_relu}};
    for (const auto& [unit, activation] : units)
    {
        check_shape<float>(unit, activation, 3, 480);
        check_shape<Bf16>(unit, activation, 3, 4104);
    }
}
