// From cuDNN's descriptors to graphs: tensors by their ids, operations in an order in which they can run, and what does not fit.
#include <algorithm>
#include <set>

#include "cudnn_types.h"

namespace emulation
{

namespace
{

CudnnTensor tensor_of(const CudnnDescriptor& descriptor)
{
    CudnnTensor tensor;
    tensor.id = descriptor.value<int64_t>(906, 0);
    tensor.type = static_cast<CudnnData>(descriptor.value<int32_t>(901, 0));
    tensor.is_virtual = descriptor.value<uint8_t>(907, 0) != 0;
    tensor.by_value = descriptor.value<uint8_t>(908, 0) != 0;
    for (size_t i = 0; i < 4; i++)
    {
        tensor.dimensions[i] = descriptor.find(902)->at<int64_t>(i);
        tensor.strides[i] = descriptor.find(903)->at<int64_t>(i);
    }

    return tensor;
}

// The tensors of a graph, each once.
class Tensors
{
public:
    explicit Tensors(CudnnGraph& graph) : _graph(graph) {}

    int place_of(const CudnnDescriptor* descriptor)
    {
        if (descriptor == nullptr)
        {
            return -1;
        }

        CudnnTensor tensor = tensor_of(*descriptor);
        const int known = _graph.place_of(tensor.id);
        if (known >= 0)
        {
            if (_from[static_cast<size_t>(known)] != descriptor)
            {
                refuse(CudnnBadParameter, "two tensors have the id " + std::to_string(tensor.id));
            }

            return known;
        }

        const CudnnDescriptor* offsets = descriptor->reference(913);
        tensor.offsets = offsets == nullptr ? -1 : place_of(offsets);
        _graph.tensors.push_back(tensor);
        _from.push_back(descriptor);
        return static_cast<int>(_graph.tensors.size()) - 1;
    }

private:
    CudnnGraph& _graph;
    std::vector<const CudnnDescriptor*> _from;
};

CudnnOperation operation_of(const CudnnDescriptor& descriptor, Tensors& tensors)
{
    CudnnOperation made;
    made.kind = descriptor.kind;
    const auto place = [&](int name) { return tensors.place_of(descriptor.reference(name)); };
    switch (descriptor.kind)
    {
    case CudnnKind::OperationPointwise:
    {
        const CudnnDescriptor& function = *descriptor.reference(750);
        made.mode = function.value<int32_t>(0, 0);
        made.axis = static_cast<int>(function.value<int64_t>(9, -1));
        made.alpha[0] = descriptor.value<float>(754, 1);
        made.alpha[1] = descriptor.value<float>(755, 1);
        // Of a gradient the second operand is that of the result.
        const bool gradient = descriptor.find(757) != nullptr;
        made.x = place(751);
        made.b = place(gradient ? 757 : 752);
        made.predicate = place(758);
        made.y = place(gradient ? 756 : 753);
        break;
    }
    case CudnnKind::OperationMatmul:
        made.x = place(1520);
        made.b = place(1521);
        made.y = place(1522);
        made.rows = place(1525);
        made.columns = place(1526);
        made.inner = place(1527);
        break;
    case CudnnKind::OperationReduction:
        made.mode = descriptor.reference(1612)->value<int32_t>(1600, 0);
        made.x = place(1610);
        made.y = place(1611);
        break;
    case CudnnKind::OperationReshape:
        made.x = place(2200);
        made.y = place(2201);
        break;
    default: refuse(CudnnBadParameter, "a graph is made of operations");
    }

    if (made.y < 0)
    {
        refuse(CudnnBadParameter, "an operation has no result");
    }

    return made;
}

// Of the functions that are emulated; dimensions of an operand are those of the result, or 1.
void check_pointwise(const CudnnGraph& graph, const CudnnOperation& operation)
{
    const int modes[] = {0, 1, 2, 3, 6, 9, 13, 15, 21, 101, 201, 302, 303, 304, 400, 501, 601};
    if (std::find(std::begin(modes), std::end(modes), operation.mode) == std::end(modes))
    {
        refuse(CudnnNotSupported, "pointwise operations of mode " + std::to_string(operation.mode) + " are not emulated");
    }

    const CudnnTensor& y = graph.tensors[static_cast<size_t>(operation.y)];
    for (int place : {operation.x, operation.b, operation.predicate})
    {
        for (size_t i = 0; place >= 0 && i < 4; i++)
        {
            const int64_t size = graph.tensors[static_cast<size_t>(place)].dimensions[i];
            if (size != y.dimensions[i] && size != 1)
            {
                refuse(CudnnBadParameter, "dimension " + std::to_string(i) + " of a pointwise operation's operand is " +
                    std::to_string(size) + ", that of its result " + std::to_string(y.dimensions[i]));
            }
        }
    }
}

} // namespace

int CudnnGraph::place_of(int64_t id) const
{
    for (size_t i = 0; i < tensors.size(); i++)
    {
        if (tensors[i].id == id)
        {
            return static_cast<int>(i);
        }
    }

    return -1;
}

void check_product(const CudnnDescriptor& operation)
{
    const CudnnTensor a = tensor_of(*operation.reference(1520)), b = tensor_of(*operation.reference(1521)),
                      c = tensor_of(*operation.reference(1522));
    const bool heads = std::max(a.dimensions[1], b.dimensions[1]) == c.dimensions[1] && c.dimensions[1] % a.dimensions[1] == 0 &&
        c.dimensions[1] % b.dimensions[1] == 0;
    if (a.dimensions[3] != b.dimensions[2] || a.dimensions[2] != c.dimensions[2] || b.dimensions[3] != c.dimensions[3] || !heads ||
        a.dimensions[0] != c.dimensions[0] || b.dimensions[0] != c.dimensions[0])
    {
        refuse(CudnnBadParameter, "the dimensions of a matrix product do not fit");
    }
}

std::shared_ptr<const CudnnGraph> graph_of(const CudnnDescriptor& descriptor)
{
    auto graph = std::make_shared<CudnnGraph>();
    Tensors tensors(*graph);
    std::vector<CudnnOperation> left;
    for (const CudnnDescriptor* operation : descriptor.find(801)->descriptors)
    {
        left.push_back(operation_of(*operation, tensors));
        if (operation->kind == CudnnKind::OperationPointwise)
        {
            check_pointwise(*graph, left.back());
        }
    }

    std::set<int> pending;
    for (const CudnnOperation& operation : left)
    {
        if (!pending.insert(operation.y).second)
        {
            refuse(CudnnBadParameter, "two operations have the same result");
        }
    }

    // Whatever order they were given in, one runs when all that it takes is there.
    while (!left.empty())
    {
        const auto ready = std::find_if(left.begin(), left.end(), [&](const CudnnOperation& operation) {
            const int taken[] = {operation.x, operation.b, operation.predicate, operation.rows, operation.columns, operation.inner};
            return std::none_of(std::begin(taken), std::end(taken), [&](int place) { return pending.count(place) != 0; });
        });
        if (ready == left.end())
        {
            refuse(CudnnBadParameter, "operations wait for each other");
        }

        pending.erase(ready->y);
        graph->operations.push_back(*ready);
        left.erase(ready);
    }

    return graph;
}

} // namespace emulation
