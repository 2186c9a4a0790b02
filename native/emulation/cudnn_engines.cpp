// Which engines the emulated cuDNN has for a graph, and how much memory their plans ask for: as releases 9.10.2 to 9.28.1 answered when
// they planned without a GPU. What they would end the process for is refused here.
#include <algorithm>

#include "cudnn_types.h"
#include "options.h"

namespace emulation
{

namespace
{

constexpr int Maximum = 3, Subtract = 9, Tanh = 101;
constexpr int Stages = 14;

enum class Family
{
    Ampere,
    Hopper,
    DatacenterBlackwell,
    Blackwell,
};

Family family()
{
    return options.capability == 90                                ? Family::Hopper
           : options.capability == 100 || options.capability == 103 ? Family::DatacenterBlackwell
           : options.capability >= 120                              ? Family::Blackwell
                                                                    : Family::Ampere;
}

// What tells attentions apart.
struct Attention
{
    bool backward = false;
    bool direct = false; // the gradient of queries is written as it is rounded
    bool ragged = false;
    bool softcap = false;
    bool sink = false;
    int64_t batch = 0, heads = 0, kv_heads = 0, queries = 0, keys = 0, width = 0, value_width = 0;
};

const CudnnOperation* producer(const CudnnGraph& graph, int place)
{
    for (const CudnnOperation& operation : graph.operations)
    {
        if (operation.y == place)
        {
            return &operation;
        }
    }

    return nullptr;
}

bool takes(const CudnnGraph& graph, int place, CudnnKind kind, int mode)
{
    return std::any_of(graph.operations.begin(), graph.operations.end(), [&](const CudnnOperation& operation) {
        return operation.kind == kind && operation.mode == mode && operation.x == place;
    });
}

[[noreturn]] void ends_process(const std::string& why) { refuse(CudnnNotSupported, why + ", for which the library would end the process"); }

// False: no engine has it.
bool recognize(const CudnnGraph& graph, Attention& found)
{
    const auto at = [&](int place) -> const CudnnTensor& { return graph.tensors[static_cast<size_t>(place)]; };
    int products = 0, key_products = 0;
    bool maxima = false, subtracts = false, types = true;
    for (const CudnnOperation& operation : graph.operations)
    {
        const CudnnTensor& x = at(operation.x);
        const CudnnTensor& y = at(operation.y);
        found.softcap |= operation.kind == CudnnKind::OperationPointwise && operation.mode == Tanh;
        found.sink |= operation.kind == CudnnKind::OperationPointwise && operation.mode == Maximum;
        maxima |= operation.kind == CudnnKind::OperationReduction && operation.mode == Maximum;
        if (operation.kind != CudnnKind::OperationMatmul)
        {
            continue;
        }

        products++;
        const CudnnTensor& b = at(operation.b);
        const CudnnOperation* from = x.is_virtual ? producer(graph, operation.x) : nullptr;
        types &= b.type == CudnnData::BFloat16;
        if (x.in_memory())
        {
            // Scores, or their gradients: queries, or gradients of outputs, with keys, or values, seen by column.
            types &= x.type == CudnnData::BFloat16;
            if (x.strides[3] != 1 || b.strides[2] != 1)
            {
                ends_process("the elements of a head do not lie side by side");
            }

            (products == 1 ? found.width : found.value_width) = x.dimensions[3];
            found.batch = y.dimensions[0];
            found.heads = y.dimensions[1];
            found.kv_heads = b.dimensions[1];
            found.queries = y.dimensions[2];
            found.keys = y.dimensions[3];
            subtracts |= takes(graph, operation.y, CudnnKind::OperationPointwise, Subtract) && products > 1;
        }
        else if (from != nullptr && from->kind == CudnnKind::OperationReshape)
        {
            key_products++;
            types &= x.type == CudnnData::BFloat16 && y.type == CudnnData::BFloat16;
        }
        else if (y.in_memory() && key_products > 0)
        {
            found.direct = y.type == CudnnData::BFloat16;
        }
        else
        {
            types &= x.type == CudnnData::BFloat16;
            found.value_width = b.dimensions[3];
        }
    }

    found.backward = products == 5 && key_products == 2;
    found.ragged = std::any_of(graph.tensors.begin(), graph.tensors.end(), [](const CudnnTensor& t) { return t.offsets >= 0; });
    if (found.backward && !subtracts)
    {
        ends_process("gradients of scores lack the sum of output times its gradient");
    }

    return types && (found.backward || (products == 2 && maxima)) && found.width % 8 == 0 && found.value_width % 8 == 0;
}

int64_t up(int64_t a, int64_t b) { return (a + b - 1) / b; }

bool is_ordered(const CudnnEngine& engine)
{
    const auto stages = engine.knobs.find(Stages);
    return engine.index == 6 && stages != engine.knobs.end() && stages->second == 4;
}

int64_t workspace_of(const Attention& a, const CudnnEngine& engine)
{
    if (!a.backward)
    {
        switch (family())
        {
        case Family::Hopper: return a.ragged ? 17408 : 256;
        case Family::DatacenterBlackwell: return a.ragged ? 17408 : 0;
        case Family::Blackwell: return a.ragged ? 17280 : 0;
        default: return 0;
        }
    }

    const int64_t full = a.heads == a.kv_heads ? 0 : a.batch * a.heads * a.keys * (a.width + a.value_width) * 2;
    const auto gradients = [&](int64_t tile) { return a.batch * a.heads * up(a.queries, 64) * 64 * up(a.keys, tile) * tile * 2; };
    switch (engine.index)
    {
    case 5: return a.heads == a.kv_heads && !a.ragged ? 0 : (a.direct ? 2 * full : full) + 128;
    case 6:
        return full + (a.ragged ? 256 * a.batch + 1024 : 256) + (is_ordered(engine) ? 8 * a.batch * a.heads * up(a.queries, 64) : 0) +
               (a.direct ? gradients(128) : 0);
    default: return full + 128 + (a.direct ? gradients(64) : 4 * a.batch * a.heads * a.queries * a.width);
    }
}

std::vector<CudnnEngine> proposals(const Attention& a)
{
    const Family on = family();
    const bool narrow = a.width <= 128;
    if (!a.backward)
    {
        // The oldest releases have no sinks.
        if (a.sink && options.cudnn_version < 91301)
        {
            return {};
        }

        const int own = on == Family::Hopper ? 2 : on == Family::DatacenterBlackwell ? 3 : on == Family::Blackwell ? 4 : 1;
        return own == 1 ? std::vector<CudnnEngine>{{1, {}}} : std::vector<CudnnEngine>{{own, {}}, {1, {}}};
    }

    const bool seventh = narrow && !a.softcap && !(a.ragged && a.direct);
    if (on == Family::Hopper)
    {
        return seventh && !a.ragged ? std::vector<CudnnEngine>{{6, {}}, {7, {}}} : std::vector<CudnnEngine>{{6, {}}};
    }

    std::vector<CudnnEngine> found;
    if (on == Family::DatacenterBlackwell && !a.direct && (narrow || a.width == 256))
    {
        found.push_back({5, {}});
    }

    if (seventh)
    {
        found.push_back({7, {}});
    }

    return found;
}

} // namespace

std::vector<CudnnEngine> engines_for(const CudnnGraph& graph)
{
    Attention found;
    return recognize(graph, found) ? proposals(found) : std::vector<CudnnEngine>{};
}

std::shared_ptr<const CudnnPlan> plan_of(std::shared_ptr<const CudnnGraph> graph, const CudnnEngine& engine)
{
    Attention found;
    if (!recognize(*graph, found))
    {
        refuse(CudnnNotSupported, "no engine has this graph");
    }

    const auto all = proposals(found);
    const bool proposed =
        std::any_of(all.begin(), all.end(), [&](const CudnnEngine& one) { return one.index == engine.index; });
    const bool fixed = engine.index == 5 && family() == Family::DatacenterBlackwell && found.backward && found.direct &&
        options.cudnn_version >= 92300 && !engine.knobs.empty();
    if (!proposed && !fixed)
    {
        refuse(CudnnNotSupported, "engine " + std::to_string(engine.index) + " does not have this graph");
    }

    if (is_ordered(engine) && (found.direct || options.cudnn_version < 92500))
    {
        refuse(CudnnNotSupported, "engine 6 has four stages only for fp32 sums of the gradient of queries, from 9.25");
    }

    return std::make_shared<const CudnnPlan>(
        CudnnPlan{std::move(graph), engine, workspace_of(found, engine) + options.cudnn_workspace});
}

} // namespace emulation
