#include "activation_definition.h"
#include "kernel_test.h"

namespace
{

template <typename T> void check_shape(const std::string& name, const Activation& activation, int rows, int columns)
{
    Numbers numbers(columns);
    const std::string shape = name + ", " + std::to_string(rows) + " x " + std::to_string(columns);
    std::vector<T> up = numbers.many<T>(static_cast<size_t>(rows) * columns, 8);
    const float corners[] = {0.0f, -0.0f, 200.0f, -200.0f, 88.5f, -88.5f, 1e-30f, -1e-30f};
    for (int i = 0; i < 8; i++)
    {
        up[i] = rounded<T>(corners[i]);
    }

    const std::vector<T> gradient = numbers.many<T>(up.size());
    const uint32_t grid = rows * divided_up(columns / pack_of<T>(columns), 512);
    Array<T> device_up(up), device_gradient(gradient), out(up.size());
    kernel("ungated_activation", name + "_forward_" + Type<T>::Name + any_rows<T>(columns))
        .run({grid}, {256}, 0, device_up.device(), out.device(), columns);
    const std::vector<T> forward = out.host();
    kernel("ungated_activation", name + "_backward_" + Type<T>::Name + any_rows<T>(columns))
        .run({grid}, {256}, 0, device_gradient.device(), device_up.device(), columns);
    check_same(device_gradient.host(), forward, "the forward and what the backward repeats of it");
    const std::vector<T> result = device_up.host();
    for (size_t i = 0; i < up.size(); i++)
    {
        const double ds = to_float(gradient[i]);
        const ActivationPoint at = activation(to_float(up[i]));
        check_close(forward[i], at.value, at.value_size + at.flushed, 12, "s, " + shape);
        check_close(result[i], ds * at.slope, std::fabs(ds) * (at.slope_size + at.flushed), 12, "du, " + shape);
    }
}

} // namespace

TEST(UngatedActivationsAreTheirDefinitionsAndTheirBackwardRepeatsTheForwardsBits)
{
    const std::pair<std::string, Activation> all[] = {
        {"silu", silu}, {"gelu", gelu}, {"gelu_tanh", gelu_tanh}, {"relu", relu}, {"squared_relu", squared_relu}};
    for (const auto& [name, activation] : all)
    {
        for (int columns : {8, 480, 4104, 43, 1030})
        {
            check_shape<float>(name, activation, 3, columns);
            check_shape<Bf16>(name, activation, 3, columns);
        }
    }
}
