// cuDNN's backend as far as attention takes it: numbers of its headers, descriptors, and the graphs that they describe.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#define CUDNN_API extern "C" __attribute__((visibility("default")))

namespace emulation
{

struct Stream;

typedef int CudnnStatus;
constexpr CudnnStatus CudnnSuccess = 0;
constexpr CudnnStatus CudnnNotInitialized = 1001;
constexpr CudnnStatus CudnnBadParameter = 2000;
constexpr CudnnStatus CudnnNotFinalized = 2004;
constexpr CudnnStatus CudnnBadAttributeType = 2010;
constexpr CudnnStatus CudnnNotSupported = 3000;
constexpr CudnnStatus CudnnUnknownDescriptor = 4003;
constexpr CudnnStatus CudnnExecutionFailed = 5000;

// cudnnBackendAttributeType_t.
enum class CudnnType
{
    Handle = 0,
    DataType = 1,
    Boolean = 2,
    Int64 = 3,
    Float = 4,
    Double = 5,
    Pointer = 6,
    HeuristicsMode = 8,
    KnobType = 9,
    PointwiseMode = 14,
    Descriptor = 15,
    ReductionOperator = 18,
};

// cudnnDataType_t.
enum class CudnnData
{
    Float = 0,
    Int32 = 4,
    BFloat16 = 9,
    Boolean = 11,
};

// cudnnBackendDescriptorType_t.
enum class CudnnKind
{
    Pointwise = 0,
    Engine = 2,
    EngineConfiguration = 3,
    EngineHeuristics = 4,
    ExecutionPlan = 5,
    KnobChoice = 7,
    OperationPointwise = 13,
    OperationGraph = 15,
    VariantPack = 16,
    Tensor = 17,
    Matmul = 18,
    OperationMatmul = 19,
    Reduction = 21,
    OperationReduction = 22,
    OperationReshape = 31,
};

struct CudnnTensor
{
    int64_t id = 0;
    CudnnData type = CudnnData::Float;
    std::array<int64_t, 4> dimensions{};
    std::array<int64_t, 4> strides{};
    bool is_virtual = false;
    bool by_value = false;
    int offsets = -1; // of packed documents: the tensor that says where each begins

    bool in_memory() const { return !is_virtual && !by_value; }
    int64_t count() const { return dimensions[0] * dimensions[1] * dimensions[2] * dimensions[3]; }
};

// An operation of a graph; its tensors by their places in it, -1 where it has none.
struct CudnnOperation
{
    CudnnKind kind = CudnnKind::OperationPointwise;
    int mode = 0; // of a pointwise operation, or a reduction's operator
    int axis = -1;
    float alpha[2] = {1, 1};
    int x = -1, b = -1, predicate = -1, y = -1; // of a product a, b and c are x, b and y
    int rows = -1, columns = -1, inner = -1;    // lengths of packed documents
};

struct CudnnGraph
{
    std::vector<CudnnTensor> tensors;
    std::vector<CudnnOperation> operations; // each after those whose results it takes

    int place_of(int64_t id) const;
};

// What a plan runs.
struct CudnnEngine
{
    int index = 0;
    std::map<int, int64_t> knobs;
};

struct CudnnPlan
{
    std::shared_ptr<const CudnnGraph> graph;
    CudnnEngine engine;
    int64_t workspace = 0;
};

struct CudnnAttribute
{
    CudnnType type;
    std::vector<unsigned char> bytes;
    std::vector<struct CudnnDescriptor*> descriptors;

    template <typename T> T at(size_t index) const
    {
        T value;
        __builtin_memcpy(&value, &bytes[index * sizeof(T)], sizeof(T));
        return value;
    }

    template <typename T> size_t count() const { return bytes.size() / sizeof(T); }
};

struct CudnnDescriptor
{
    CudnnKind kind;
    bool finalized = false;
    std::map<int, CudnnAttribute> attributes;
    std::shared_ptr<const CudnnGraph> graph;     // of a graph of operations
    std::vector<CudnnEngine> proposals;          // of heuristics
    std::shared_ptr<const CudnnPlan> plan;       // of a configuration and of a plan

    const CudnnAttribute* find(int name) const
    {
        const auto found = attributes.find(name);
        return found == attributes.end() ? nullptr : &found->second;
    }

    template <typename T> T value(int name, T otherwise) const
    {
        const CudnnAttribute* found = find(name);
        return found == nullptr ? otherwise : found->at<T>(0);
    }

    CudnnDescriptor* reference(int name) const
    {
        const CudnnAttribute* found = find(name);
        return found == nullptr ? nullptr : found->descriptors[0];
    }
};

struct CudnnHandle
{
    Stream* stream = nullptr; // null: the null stream
};

// What a function refuses, with the sentence that cudnnGetLastErrorString gives.
struct CudnnRefusal
{
    CudnnStatus status;
    std::string sentence;
};

[[noreturn]] inline void refuse(CudnnStatus status, const std::string& sentence) { throw CudnnRefusal{status, sentence}; }

// A product of tensors whose dimensions fit; thrown otherwise.
void check_product(const CudnnDescriptor& operation);

// The graph that a descriptor's operations make.
std::shared_ptr<const CudnnGraph> graph_of(const CudnnDescriptor& graph);

// The engines for a graph, best first; none where there are none.
std::vector<CudnnEngine> engines_for(const CudnnGraph& graph);

// The plan of one engine with its settings; thrown where it cannot be had.
std::shared_ptr<const CudnnPlan> plan_of(std::shared_ptr<const CudnnGraph> graph, const CudnnEngine& engine);

// A plan with the pointers of one run, in the order of the scheduler. `pointers` are by a tensor's place in the graph.
void run_plan(const CudnnPlan& plan, const std::vector<void*>& pointers, const std::vector<float>& numbers, uintptr_t workspace);

} // namespace emulation
