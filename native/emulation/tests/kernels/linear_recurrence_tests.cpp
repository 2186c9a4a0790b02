#include <algorithm>
#include <array>
#include <functional>

#include "kernel_test.h"

namespace
{

struct Heads
{
    int chunk, key_heads, heads, key_dim, value_dim;
    int corrects = 1; // 2: by up to twice as much; 0: a state space, whose steps have bounds

    int gates() const { return corrects != 0 ? 2 * heads : heads; }

    int channels() const { return 2 * key_heads * key_dim + heads * value_dim; }
    int columns() const { return std::min(64, value_dim); }
    int runs() const { return static_cast<int>(divided_up(value_dim, columns())); }
    size_t states() const { return static_cast<size_t>(heads) * key_dim * value_dim; }
};

constexpr int Tokens = 96;

// Where documents begin: at an edge of a block of 64, of chunks and within them, and one of a single token.
const std::vector<int> Documents = {0, 11, 12, 64, 75};

using Numbers64 = std::vector<double>;

template <typename T> Numbers64 widened(const std::vector<T>& from)
{
    Numbers64 to(from.size());
    std::transform(from.begin(), from.end(), to.begin(), [](T value) { return static_cast<double>(to_float(value)); });
    return to;
}

constexpr float Least = 0.25f, Most = 1;

// Token by token, in float64.
Numbers64 recurrence(const Heads& of, const Numbers64& channels, const Numbers64& gates, const Numbers64& decay, const Numbers64& bias,
    const Numbers64& skip)
{
    Numbers64 y(static_cast<size_t>(Tokens) * of.heads * of.value_dim);
    for (int h = 0; h < of.heads; h++)
    {
        const int key_head = h / (of.heads / of.key_heads);
        Numbers64 state;
        for (int t = 0; t < Tokens; t++)
        {
            const double* row = &channels[static_cast<size_t>(t) * of.channels()];
            const auto length = [&](int column, double scale) {
                double squares = of.corrects != 0 ? 1e-6 : scale * scale;
                for (int a = 0; a < of.key_dim && of.corrects != 0; a++)
                {
                    squares += row[column + a] * row[column + a];
                }

                Numbers64 normed(row + column, row + column + of.key_dim);
                for (double& x : normed)
                {
                    x *= scale / std::sqrt(squares);
                }

                return normed;
            };
            const Numbers64 q = length(key_head * of.key_dim, 1 / std::sqrt(static_cast<double>(of.key_dim)));
            const Numbers64 k = length((of.key_heads + key_head) * of.key_dim, 1);
            const double* own = &gates[static_cast<size_t>(t) * of.gates()];
            const double free = std::log(1 + std::exp(own[of.gates() - of.heads + h] + bias[h]));
            const double step = of.corrects != 0 ? free : std::min<double>(std::max<double>(free, Least), Most);
            const double beta = of.corrects != 0 ? of.corrects / (1 + std::exp(-own[h])) : step;
            const double keep = std::exp(-std::exp(decay[h]) * step);
            if (std::count(Documents.begin(), Documents.end(), t) > 0)
            {
                state.assign(static_cast<size_t>(of.key_dim) * of.value_dim, 0);
            }

            for (int j = 0; j < of.value_dim; j++)
            {
                double read = 0;
                for (int a = 0; a < of.key_dim; a++)
                {
                    state[a * of.value_dim + j] *= keep;
                    read += state[a * of.value_dim + j] * k[a];
                }

                const double value = row[2 * of.key_heads * of.key_dim + h * of.value_dim + j];
                const double written = beta * (of.corrects != 0 ? value - read : value);
                y[(static_cast<size_t>(t) * of.heads + h) * of.value_dim + j] += of.corrects != 0 ? 0 : skip[h] * value;
                for (int a = 0; a < of.key_dim; a++)
                {
                    state[a * of.value_dim + j] += k[a] * written;
                    y[(static_cast<size_t>(t) * of.heads + h) * of.value_dim + j] += state[a * of.value_dim + j] * q[a];
                }
            }
        }
    }

    return y;
}

template <typename T> void check_near(const std::vector<T>& got, const Numbers64& want, double most, const std::string& what)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < want.size(); i++)
    {
        error += std::pow(to_float(got[i]) - want[i], 2);
        size += want[i] * want[i];
    }

    check(error == 0 || std::sqrt(error) <= most * std::sqrt(size), what + ": relative error " + std::to_string(std::sqrt(error / size)));
}

template <typename T> void check_row(const Heads& of)
{
    const std::string where = " of " + std::to_string(of.chunk) + " tokens, " + std::to_string(of.heads) + " heads, "
        + std::to_string(of.key_dim) + " x " + std::to_string(of.value_dim) + ", " + Type<T>::Name;
    const int chunks = Tokens / of.chunk, chunk = of.chunk, values = of.heads * of.value_dim;
    std::vector<int> first(Tokens);
    for (int t = 0; t < Tokens; t++)
    {
        first[t] = *(std::upper_bound(Documents.begin(), Documents.end(), t) - 1);
    }

    Numbers numbers(of.key_dim + chunk);
    const std::vector<float> channels = numbers.many<float>(static_cast<size_t>(Tokens) * of.channels());
    const std::vector<T> gates = numbers.many<T>(static_cast<size_t>(Tokens) * of.gates(), 2), decay = numbers.many<T>(of.heads),
                         bias = numbers.many<T>(of.heads), skip = numbers.many<T>(of.heads),
                         grad_y = numbers.many<T>(static_cast<size_t>(Tokens) * values);

    // As KernelWorkspace.LinearRecurrence has it.
    const size_t blocks = divided_up(chunk, 64), sums = 2 * of.key_dim + 3;
    const size_t kept = of.heads * (blocks * of.key_dim * of.value_dim
        + of.runs() * (64 * (2 * of.key_dim + 4 * of.columns() + 6 * 64) + 2 * of.key_dim * static_cast<size_t>(of.columns())));
    const size_t token_sums = static_cast<size_t>(of.heads) * of.runs() * chunk * sums;
    Array<float> device_channels(channels), y(static_cast<size_t>(Tokens) * values), workspace(kept), of_tokens(token_sums);
    Array<float> vectors(static_cast<size_t>(3) * chunk * of.heads), grad_channels(channels.size());
    Array<float> states(of.states() * chunks), grad_states(of.states() * chunks);
    Array<T> device_gates(gates), device_decay(decay), device_bias(bias), device_skip(skip);
    Array<T> device_grad_y(grad_y), grad_gates(gates.size());
    Array<int> device_first(first);
    const std::string type = Type<T>::Name;
    const auto forward = kernel("linear_recurrence", "linear_recurrence_forward_" + type);
    const auto backward = kernel("linear_recurrence_backward", "linear_recurrence_backward_" + type);
    const auto gradients = kernel("linear_recurrence", "linear_recurrence_gradients_" + type);
    const uint32_t heads = of.heads, runs = of.runs();
    const auto by_skip = of.corrects != 0 ? nullptr : device_skip.device();
    const int corrects = of.corrects;
    const auto state = [&](Array<float>& all, int c) { return c < 0 || c >= chunks ? nullptr : all.device() + of.states() * c; };
    for (int c = 0; c < chunks; c++)
    {
        const size_t row = static_cast<size_t>(c) * chunk;
        forward.run({heads, runs}, {256}, 0, device_channels.device() + row * of.channels(), device_gates.device() + row * of.gates(),
            device_decay.device(), device_bias.device(), by_skip, device_first.device() + row, state(states, c - 1), state(states, c),
            y.device() + row * values, workspace.device(), of.gates(), of.key_heads, of.heads, of.key_dim, of.value_dim, of.columns(),
            static_cast<int>(row), chunk, corrects, Least, Most);
    }

    Numbers64 grad_decay(of.heads), grad_bias(of.heads), grad_skip(of.heads);
    for (int c = chunks - 1; c >= 0; c--)
    {
        const size_t row = static_cast<size_t>(c) * chunk;
        backward.run({heads, runs}, {256}, 0, device_channels.device() + row * of.channels(), device_gates.device() + row * of.gates(),
            device_decay.device(), device_bias.device(), by_skip, device_first.device() + row, state(states, c - 1),
            device_grad_y.device() + row * values, c + 1 < chunks ? state(grad_states, c) : nullptr, state(grad_states, c - 1),
            grad_channels.device() + row * of.channels(), workspace.device(), of_tokens.device(), of.gates(), of.key_heads, of.heads,
            of.key_dim, of.value_dim, of.columns(), static_cast<int>(row), chunk, corrects, Least, Most);
        gradients.run({divided_up(static_cast<int64_t>(chunk) * of.key_heads, 4)}, {128}, 0,
            device_channels.device() + row * of.channels(), device_gates.device() + row * of.gates(), device_decay.device(),
            device_bias.device(), of_tokens.device(), grad_channels.device() + row * of.channels(),
            grad_gates.device() + row * of.gates(), vectors.device(), of.gates(), of.gates(), of.key_heads, of.heads, of.key_dim,
            of.value_dim, of.columns(), chunk, corrects, Least, Most);
        const std::vector<float> terms = vectors.host();
        for (size_t i = 0; i < terms.size() / 3; i++)
        {
            grad_decay[i % of.heads] += terms[i];
            grad_bias[i % of.heads] += terms[terms.size() / 3 + i];
            grad_skip[i % of.heads] += terms[terms.size() / 3 * 2 + i];
        }
    }

    Numbers64 c64 = widened(channels), g64 = widened(gates), d64 = widened(decay), b64 = widened(bias), s64 = widened(skip);
    const Numbers64 dy = widened(grad_y);
    check_near(y.host(), recurrence(of, c64, g64, d64, b64, s64), 1e-5, "y" + where);
    const auto differences = [&](Numbers64& input) {
        Numbers64 slopes(input.size());
        for (size_t i = 0; i < input.size(); i++)
        {
            const double at = input[i];
            const auto loss = [&](double moved) {
                input[i] = moved;
                const Numbers64 result = recurrence(of, c64, g64, d64, b64, s64);
                double sum = 0;
                for (size_t n = 0; n < dy.size(); n++)
                {
                    sum += dy[n] * result[n];
                }

                return sum;
            };
            slopes[i] = (loss(at + 1e-5) - loss(at - 1e-5)) / 2e-5;
            input[i] = at;
        }

        return slopes;
    };
    const double rounding = sizeof(T) == 2 ? 0x1p-8 : 2e-5;
    check_near(grad_channels.host(), differences(c64), 2e-5, "gradient of channels" + where);
    check_near(grad_gates.host(), differences(g64), rounding, "gradient of gates" + where);
    check_near(std::vector<float>(grad_decay.begin(), grad_decay.end()), differences(d64), 2e-5, "gradient of decay" + where);
    check_near(std::vector<float>(grad_bias.begin(), grad_bias.end()), differences(b64), 2e-5, "gradient of the bias" + where);
    check_near(std::vector<float>(grad_skip.begin(), grad_skip.end()), differences(s64), 2e-5, "gradient of skip" + where);
}

} // namespace

TEST(RecurrencesPassTheirStateFromChunkToChunkAndItsGradientBack)
{
    for (const Heads& of : std::vector<Heads>{{96, 1, 2, 5, 3}, {32, 2, 2, 3, 7}, {3, 1, 3, 4, 2}, {48, 1, 1, 2, 67}, {96, 1, 1, 66, 2}})
    {
        check_row<float>(of);
    }

    check_row<Bf16>({32, 1, 2, 5, 3});
    check_row<Bf16>({48, 1, 3, 2, 67});
    check_row<Bf16>({96, 1, 2, 66, 2});
    check_row<Bf16>({3, 2, 4, 4, 7});
    check_row<float>({32, 2, 2, 3, 7, 2});
    check_row<float>({96, 1, 2, 5, 3, 0});
    check_row<float>({3, 2, 4, 4, 7, 0});
    check_row<Bf16>({48, 1, 2, 5, 3, 0});
}
