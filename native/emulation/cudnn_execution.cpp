// Runs the graph of a plan as it stands, operation by operation: what it says wrongly comes out wrong. Sums are of fp32; each result is
// rounded to the type of its tensor.
#include <algorithm>
#include <cmath>

#include "cudnn_types.h"
#include "cudnn_values.h"
#include "global_shadow.h"
#include "matrix_product.h"
#include "random.h"
#include "scheduler.h"

namespace emulation
{

namespace
{

constexpr int64_t KeyBlock = 64;
constexpr int Stages = 14;

// One operand of a pointwise operation: where its elements are, in steps of the result's dimensions.
struct Operand
{
    const float* values = nullptr;
    std::array<int64_t, 4> steps{};
};

Operand operand_of(const CudnnTensor& tensor, const std::vector<float>& values)
{
    Operand made{values.data(), {}};
    int64_t step = 1;
    for (int i = 3; i >= 0; i--)
    {
        const auto at = static_cast<size_t>(i);
        made.steps[at] = tensor.dimensions[at] == 1 ? 0 : step;
        step *= tensor.dimensions[at];
    }

    return made;
}

// cudnnPointwiseMode_t, of x, b and the predicate t.
float pointwise(int mode, float x, float b, float t)
{
    switch (mode)
    {
    case 0: return x + b;
    case 1: return x * b;
    case 2: return std::min(x, b);
    case 3: return std::max(x, b);
    case 6: return x / b;
    case 9: return x - b;
    case 13: return std::exp(x);
    case 15: return std::log(x);
    case 21: return x;
    case 101: return std::tanh(x);
    case 201: return b * (1 - std::tanh(x) * std::tanh(x));
    case 302: return x > b;
    case 303: return x >= b;
    case 304: return x < b;
    case 400: return x != 0 && b != 0;
    default: return t != 0 ? x : b; // selects
    }
}

class Run
{
public:
    Run(const CudnnPlan& plan, const std::vector<void*>& pointers, const std::vector<float>& numbers)
        : _plan(plan), _graph(*plan.graph), _pointers(pointers), _numbers(numbers), _values(_graph.tensors.size()),
          _order(scheduler.next_seed()), _last(_graph.tensors.size())
    {
        for (size_t i = 0; i < _graph.operations.size(); i++)
        {
            for (int place : {_graph.operations[i].x, _graph.operations[i].b, _graph.operations[i].predicate})
            {
                _last[static_cast<size_t>(std::max(place, 0))] = i;
            }
        }
    }

    void all()
    {
        for (size_t i = 0; i < _graph.operations.size(); i++)
        {
            const CudnnOperation& operation = _graph.operations[i];
            switch (operation.kind)
            {
            case CudnnKind::OperationPointwise: compute(operation); break;
            case CudnnKind::OperationMatmul: multiply_tensors(operation); break;
            case CudnnKind::OperationReduction: reduce(operation); break;
            default: finish(operation.y, seen_as(tensor(operation.x), values(operation.x), tensor(operation.y))); break;
            }

            // Scores are many: none is kept that nothing takes any more.
            for (int place : {operation.x, operation.b, operation.predicate})
            {
                if (place >= 0 && tensor(place).is_virtual && _last[static_cast<size_t>(place)] == i)
                {
                    _values[static_cast<size_t>(place)] = {};
                }
            }
        }
    }

private:
    const CudnnTensor& tensor(int place) const { return _graph.tensors[static_cast<size_t>(place)]; }

    const std::vector<float>& offsets_of(int place)
    {
        static const std::vector<float> none;
        return tensor(place).offsets < 0 ? none : values(tensor(place).offsets);
    }

    // Read when an operation first takes it, unless another has made it.
    const std::vector<float>& values(int place)
    {
        auto& found = _values[static_cast<size_t>(place)];
        if (found.empty())
        {
            const CudnnTensor& wanted = tensor(place);
            found = wanted.by_value ? std::vector<float>{_numbers[static_cast<size_t>(place)]}
                                    : read_tensor(wanted, _pointers[static_cast<size_t>(place)], offsets_of(place));
        }

        return found;
    }

    void finish(int place, std::vector<float> made)
    {
        const CudnnTensor& result = tensor(place);
        for (float& value : made)
        {
            value = rounded(value, result.type);
        }

        if (result.in_memory())
        {
            write_tensor(result, _pointers[static_cast<size_t>(place)], offsets_of(place), made);
        }

        _values[static_cast<size_t>(place)] = std::move(made);
    }

    void compute(const CudnnOperation& operation)
    {
        const CudnnTensor& y = tensor(operation.y);
        std::vector<float> made(static_cast<size_t>(y.count()));
        constexpr int Index = 501;
        const Operand none{};
        const auto operand = [&](int place) { return place < 0 ? none : operand_of(tensor(place), values(place)); };
        const Operand x = operation.mode == Index ? none : operand(operation.x);
        const Operand b = operand(operation.b), t = operand(operation.predicate);
        std::array<int64_t, 4> at{};
        size_t to = 0;
        for (at[0] = 0; at[0] < y.dimensions[0]; at[0]++)
        {
            for (at[1] = 0; at[1] < y.dimensions[1]; at[1]++)
            {
                for (at[2] = 0; at[2] < y.dimensions[2]; at[2]++)
                {
                    const auto first = [&](const Operand& of) {
                        return of.values == nullptr ? nullptr : of.values + at[0] * of.steps[0] + at[1] * of.steps[1] + at[2] * of.steps[2];
                    };
                    const float *from_x = first(x), *from_b = first(b), *from_t = first(t);
                    for (at[3] = 0; at[3] < y.dimensions[3]; at[3]++)
                    {
                        made[to++] = operation.mode == Index
                            ? static_cast<float>(at[static_cast<size_t>(operation.axis)])
                            : pointwise(operation.mode, operation.alpha[0] * from_x[at[3] * x.steps[3]],
                                from_b == nullptr ? 0 : operation.alpha[1] * from_b[at[3] * b.steps[3]],
                                from_t == nullptr ? 0 : from_t[at[3] * t.steps[3]]);
                    }
                }
            }
        }

        finish(operation.y, std::move(made));
    }

    // Dimensions that the result has fewer of are added up, or their largest taken: all of one, or a group of heads.
    void reduce(const CudnnOperation& operation)
    {
        const CudnnTensor& x = tensor(operation.x);
        const CudnnTensor& y = tensor(operation.y);
        const bool largest = operation.mode == 3;
        const std::vector<float>& from = values(operation.x);
        std::vector<float> made(static_cast<size_t>(y.count()), largest ? -INFINITY : 0.0f);
        size_t taken = 0;
        std::array<int64_t, 4> at{};
        for (at[0] = 0; at[0] < x.dimensions[0]; at[0]++)
        {
            for (at[1] = 0; at[1] < x.dimensions[1]; at[1]++)
            {
                for (at[2] = 0; at[2] < x.dimensions[2]; at[2]++)
                {
                    for (at[3] = 0; at[3] < x.dimensions[3]; at[3]++)
                    {
                        int64_t to = 0;
                        for (size_t i = 0; i < 4; i++)
                        {
                            to = to * y.dimensions[i] + at[i] * y.dimensions[i] / x.dimensions[i];
                        }

                        float& sum = made[static_cast<size_t>(to)];
                        sum = largest ? std::max(sum, from[taken]) : sum + from[taken];
                        taken++;
                    }
                }
            }
        }

        finish(operation.y, std::move(made));
    }

    int64_t length(int place, int64_t batch, int64_t otherwise)
    {
        return place < 0 ? otherwise : std::min(otherwise, static_cast<int64_t>(values(place)[static_cast<size_t>(batch)]));
    }

    // Tokens that a packed document lacks are taken for none, and give 0.
    void multiply_tensors(const CudnnOperation& operation)
    {
        const CudnnTensor &a = tensor(operation.x), &b = tensor(operation.b), &c = tensor(operation.y);
        std::vector<float> left = values(operation.x), right = values(operation.b);
        std::vector<float> made(static_cast<size_t>(c.count()), 0.0f);
        const auto order = inner_blocks(operation);
        for (int64_t batch = 0; batch < c.dimensions[0]; batch++)
        {
            const int64_t rows = length(operation.rows, batch, c.dimensions[2]);
            const int64_t columns = length(operation.columns, batch, c.dimensions[3]);
            const int64_t inner = length(operation.inner, batch, a.dimensions[3]);
            for (int64_t head = 0; head < c.dimensions[1]; head++)
            {
                const auto begin = [&](const CudnnTensor& of, std::vector<float>& from) {
                    const int64_t one = of.dimensions[2] * of.dimensions[3];
                    return from.data() + (batch * of.dimensions[1] + head * of.dimensions[1] / c.dimensions[1]) * one;
                };
                float *from_a = begin(a, left), *from_b = begin(b, right);
                const Matrix to{begin(c, made), ElementType::Float32, rows, columns, c.dimensions[3], 1};
                for (int64_t first : order)
                {
                    const int64_t count = order.size() == 1 ? inner : std::min(KeyBlock, inner - first);
                    if (count > 0)
                    {
                        const Matrix some_a{from_a + first, ElementType::Float32, rows, count, a.dimensions[3], 1};
                        const Matrix some_b{
                            from_b + first * b.dimensions[3], ElementType::Float32, count, columns, b.dimensions[3], 1};
                        multiply(1, some_a, some_b, 1, to, {}, to, {32, 1});
                    }
                }
            }
        }

        finish(operation.y, std::move(made));
    }

    // The gradient of queries in fp32 memory is added up by blocks of keys, in the order in which they happen to arrive: in theirs only by
    // the engine that waits. All else in one go.
    std::vector<int64_t> inner_blocks(const CudnnOperation& operation)
    {
        const CudnnTensor &a = tensor(operation.x), &c = tensor(operation.y);
        std::vector<int64_t> order{0};
        if (a.is_virtual && c.in_memory() && c.type == CudnnData::Float)
        {
            for (int64_t first = KeyBlock; first < a.dimensions[3]; first += KeyBlock)
            {
                order.push_back(first);
            }

            const auto stages = _plan.engine.knobs.find(Stages);
            for (size_t i = order.size(); i > 1 && (stages == _plan.engine.knobs.end() || stages->second != 4); i--)
            {
                std::swap(order[i - 1], order[_order.below(static_cast<uint32_t>(i))]);
            }
        }

        return order;
    }

    const CudnnPlan& _plan;
    const CudnnGraph& _graph;
    const std::vector<void*>& _pointers;
    const std::vector<float>& _numbers;
    std::vector<std::vector<float>> _values;
    Random _order;
    std::vector<size_t> _last; // the last operation that takes a tensor
};

} // namespace

void run_plan(const CudnnPlan& plan, const std::vector<void*>& pointers, const std::vector<float>& numbers, uintptr_t workspace)
{
    if (plan.workspace > 0)
    {
        write_range(workspace, static_cast<size_t>(plan.workspace));
    }

    Run(plan, pointers, numbers).all();
    if (plan.workspace > 0)
    {
        forget_range(workspace, static_cast<size_t>(plan.workspace));
    }
}

} // namespace emulation
