// cuDNN's descriptors: attributes by number, each of the type that the header gives it, checked when they are set.
#include <algorithm>
#include <cstring>
#include <set>

#include "cudnn_library.h"

using namespace emulation;

namespace
{

// What was created and is still there.
std::set<const CudnnDescriptor*>& live = *new std::set<const CudnnDescriptor*>();

struct Known
{
    CudnnKind kind;
    int name;
    CudnnType type;
    bool needed;
};

const Known s_attributes[] = {
    {CudnnKind::Pointwise, 0, CudnnType::PointwiseMode, true},
    {CudnnKind::Pointwise, 1, CudnnType::DataType, true},
    {CudnnKind::Pointwise, 9, CudnnType::Int64, false},
    {CudnnKind::EngineHeuristics, 200, CudnnType::HeuristicsMode, true},
    {CudnnKind::EngineHeuristics, 201, CudnnType::Descriptor, true},
    {CudnnKind::EngineHeuristics, 202, CudnnType::Descriptor, false},
    {CudnnKind::EngineConfiguration, 300, CudnnType::Descriptor, true},
    {CudnnKind::EngineConfiguration, 302, CudnnType::Descriptor, false},
    {CudnnKind::EngineConfiguration, 303, CudnnType::Int64, false},
    {CudnnKind::ExecutionPlan, 400, CudnnType::Handle, false},
    {CudnnKind::ExecutionPlan, 401, CudnnType::Descriptor, true},
    {CudnnKind::ExecutionPlan, 402, CudnnType::Int64, false},
    {CudnnKind::KnobChoice, 600, CudnnType::KnobType, true},
    {CudnnKind::KnobChoice, 601, CudnnType::Int64, true},
    {CudnnKind::OperationPointwise, 750, CudnnType::Descriptor, true},
    {CudnnKind::OperationPointwise, 751, CudnnType::Descriptor, true},
    {CudnnKind::OperationPointwise, 752, CudnnType::Descriptor, false},
    {CudnnKind::OperationPointwise, 753, CudnnType::Descriptor, false},
    {CudnnKind::OperationPointwise, 754, CudnnType::Float, false},
    {CudnnKind::OperationPointwise, 755, CudnnType::Float, false},
    {CudnnKind::OperationPointwise, 756, CudnnType::Descriptor, false},
    {CudnnKind::OperationPointwise, 757, CudnnType::Descriptor, false},
    {CudnnKind::OperationPointwise, 758, CudnnType::Descriptor, false},
    {CudnnKind::OperationGraph, 800, CudnnType::Handle, false},
    {CudnnKind::OperationGraph, 801, CudnnType::Descriptor, true},
    {CudnnKind::Tensor, 900, CudnnType::Int64, true},
    {CudnnKind::Tensor, 901, CudnnType::DataType, true},
    {CudnnKind::Tensor, 902, CudnnType::Int64, true},
    {CudnnKind::Tensor, 903, CudnnType::Int64, true},
    {CudnnKind::Tensor, 906, CudnnType::Int64, true},
    {CudnnKind::Tensor, 907, CudnnType::Boolean, false},
    {CudnnKind::Tensor, 908, CudnnType::Boolean, false},
    {CudnnKind::Tensor, 913, CudnnType::Descriptor, false},
    {CudnnKind::VariantPack, 1000, CudnnType::Int64, true},
    {CudnnKind::VariantPack, 1001, CudnnType::Pointer, true},
    {CudnnKind::VariantPack, 1003, CudnnType::Pointer, false},
    {CudnnKind::Engine, 1300, CudnnType::Descriptor, true},
    {CudnnKind::Engine, 1301, CudnnType::Int64, true},
    {CudnnKind::Matmul, 1500, CudnnType::DataType, true},
    {CudnnKind::Matmul, 1503, CudnnType::Double, false},
    {CudnnKind::OperationMatmul, 1520, CudnnType::Descriptor, true},
    {CudnnKind::OperationMatmul, 1521, CudnnType::Descriptor, true},
    {CudnnKind::OperationMatmul, 1522, CudnnType::Descriptor, true},
    {CudnnKind::OperationMatmul, 1523, CudnnType::Descriptor, true},
    {CudnnKind::OperationMatmul, 1525, CudnnType::Descriptor, false},
    {CudnnKind::OperationMatmul, 1526, CudnnType::Descriptor, false},
    {CudnnKind::OperationMatmul, 1527, CudnnType::Descriptor, false},
    {CudnnKind::Reduction, 1600, CudnnType::ReductionOperator, true},
    {CudnnKind::Reduction, 1601, CudnnType::DataType, true},
    {CudnnKind::OperationReduction, 1610, CudnnType::Descriptor, true},
    {CudnnKind::OperationReduction, 1611, CudnnType::Descriptor, true},
    {CudnnKind::OperationReduction, 1612, CudnnType::Descriptor, true},
    {CudnnKind::OperationReshape, 2200, CudnnType::Descriptor, true},
    {CudnnKind::OperationReshape, 2201, CudnnType::Descriptor, true},
};

size_t size_of(CudnnType type)
{
    switch (type)
    {
    case CudnnType::Boolean: return 1;
    case CudnnType::DataType: case CudnnType::Float: case CudnnType::HeuristicsMode: case CudnnType::KnobType:
    case CudnnType::PointwiseMode: case CudnnType::ReductionOperator: return 4;
    default: return 8;
    }
}

const Known& known(const CudnnDescriptor& descriptor, int name, int type)
{
    for (const Known& one : s_attributes)
    {
        if (one.kind == descriptor.kind && one.name == name)
        {
            if (static_cast<int>(one.type) != type)
            {
                refuse(CudnnBadAttributeType, "attribute " + std::to_string(name) + " is not of type " + std::to_string(type));
            }

            return one;
        }
    }

    refuse(CudnnBadParameter, "descriptors of type " + std::to_string(static_cast<int>(descriptor.kind)) + " have no attribute " +
        std::to_string(name));
}

CudnnDescriptor& living(void* descriptor)
{
    auto* made = static_cast<CudnnDescriptor*>(descriptor);
    if (live.count(made) == 0)
    {
        refuse(CudnnBadParameter, "this is no descriptor, or it was destroyed");
    }

    return *made;
}

CudnnEngine engine_of(const CudnnDescriptor& configuration)
{
    CudnnEngine engine;
    engine.index = static_cast<int>(configuration.reference(300)->value<int64_t>(1301, 0));
    if (const CudnnAttribute* knobs = configuration.find(302))
    {
        for (const CudnnDescriptor* knob : knobs->descriptors)
        {
            engine.knobs[knob->value<int32_t>(600, 0)] = knob->value<int64_t>(601, 0);
        }
    }

    return engine;
}

void finalize(CudnnDescriptor& descriptor)
{
    for (const Known& one : s_attributes)
    {
        if (one.kind == descriptor.kind && one.needed && descriptor.find(one.name) == nullptr)
        {
            refuse(CudnnBadParameter, "attribute " + std::to_string(one.name) + " is not set");
        }
    }

    for (const auto& [name, attribute] : descriptor.attributes)
    {
        for (CudnnDescriptor* other : attribute.descriptors)
        {
            if (!living(other).finalized)
            {
                refuse(CudnnNotFinalized, "attribute " + std::to_string(name) + " is a descriptor that is not finalized");
            }
        }
    }

    switch (descriptor.kind)
    {
    case CudnnKind::Tensor:
        if (descriptor.find(902)->count<int64_t>() != 4 || descriptor.find(903)->count<int64_t>() != 4)
        {
            refuse(CudnnBadParameter, "a tensor of attention has four dimensions and as many strides");
        }

        break;
    case CudnnKind::OperationMatmul: check_product(descriptor); break;
    case CudnnKind::OperationGraph: descriptor.graph = graph_of(descriptor); break;
    case CudnnKind::EngineHeuristics: descriptor.proposals = engines_for(*descriptor.reference(201)->graph); break;
    case CudnnKind::EngineConfiguration:
        descriptor.plan = plan_of(descriptor.reference(300)->reference(1300)->graph, engine_of(descriptor));
        break;
    case CudnnKind::ExecutionPlan: descriptor.plan = descriptor.reference(401)->plan; break;
    default: break;
    }

    descriptor.finalized = true;
}

// The configurations that heuristics propose, into descriptors that the caller made for them.
int64_t propose(const CudnnDescriptor& heuristics, int64_t wanted, void* elements)
{
    const auto proposals = static_cast<int64_t>(heuristics.proposals.size());
    for (int64_t i = 0; elements != nullptr && i < std::min(wanted, proposals); i++)
    {
        CudnnDescriptor& configuration = living(static_cast<void**>(elements)[i]);
        configuration.plan = plan_of(heuristics.reference(201)->graph, heuristics.proposals[static_cast<size_t>(i)]);
        configuration.finalized = true;
    }

    return proposals;
}

} // namespace

CudnnDescriptor& emulation::living_descriptor(void* descriptor) { return living(descriptor); }

CUDNN_API CudnnStatus cudnnBackendCreateDescriptor(int type, void** descriptor)
{
    return library_call([&] {
        const bool exists = std::any_of(std::begin(s_attributes), std::end(s_attributes),
            [&](const Known& one) { return static_cast<int>(one.kind) == type; });
        if (!exists)
        {
            refuse(CudnnUnknownDescriptor, "there is no descriptor of type " + std::to_string(type));
        }

        auto* made = new CudnnDescriptor{static_cast<CudnnKind>(type), false, {}, {}, {}, {}};
        live.insert(made);
        *descriptor = made;
    });
}

CUDNN_API CudnnStatus cudnnBackendDestroyDescriptor(void* descriptor)
{
    return library_call([&] {
        CudnnDescriptor& made = living(descriptor);
        live.erase(&made);
        delete &made;
    });
}

CUDNN_API CudnnStatus cudnnBackendSetAttribute(void* descriptor, int name, int type, int64_t count, const void* elements)
{
    return library_call([&] {
        CudnnDescriptor& made = living(descriptor);
        const Known& one = known(made, name, type);
        if (made.finalized || count < 1 || elements == nullptr)
        {
            refuse(CudnnBadParameter, "attribute " + std::to_string(name) + " cannot be set to that");
        }

        CudnnAttribute attribute{one.type, {}, {}};
        const auto* from = static_cast<const unsigned char*>(elements);
        attribute.bytes.assign(from, from + static_cast<size_t>(count) * size_of(one.type));
        for (int64_t i = 0; one.type == CudnnType::Descriptor && i < count; i++)
        {
            attribute.descriptors.push_back(&living(static_cast<void* const*>(elements)[i]));
        }

        made.attributes[name] = std::move(attribute);
    });
}

CUDNN_API CudnnStatus cudnnBackendGetAttribute(void* descriptor, int name, int type, int64_t wanted, int64_t* found, void* elements)
{
    return library_call([&] {
        const CudnnDescriptor& made = living(descriptor);
        const Known& one = known(made, name, type);
        if (!made.finalized)
        {
            refuse(CudnnNotFinalized, "the descriptor is not finalized");
        }

        if (name == 202)
        {
            *found = propose(made, wanted, elements);
            return;
        }

        if (name == 303 || name == 402)
        {
            *found = 1;
            std::memcpy(elements, &made.plan->workspace, sizeof(int64_t));
            return;
        }

        const CudnnAttribute* attribute = made.find(name);
        const size_t bytes = attribute == nullptr ? 0 : attribute->bytes.size();
        *found = static_cast<int64_t>(bytes / size_of(one.type));
        if (elements != nullptr && bytes > 0)
        {
            std::memcpy(elements, attribute->bytes.data(), std::min(bytes, static_cast<size_t>(wanted) * size_of(one.type)));
        }
    });
}

CUDNN_API CudnnStatus cudnnBackendFinalize(void* descriptor)
{
    return library_call([&] { finalize(living(descriptor)); });
}
