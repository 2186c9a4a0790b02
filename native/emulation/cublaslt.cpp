// cuBLASLt's products and the choice of an algorithm. There are three: two that differ in how many products one chain of a sum
// takes, and one that splits the sum, for which it needs a workspace. So different algorithms give different bits, as on the GPU.
#include <algorithm>
#include <cstring>

#include "cublaslt_types.h"
#include "driver.h"
#include "global_shadow.h"
#include "matrix_product.h"

using namespace emulation;

namespace
{

constexpr int Algorithms = 3;
constexpr int Chains[Algorithms] = {32, 16, 32};
constexpr size_t SmallWorkspace = 64 * 1024; // of the second algorithm

// All that a product is, once its descriptors are known to fit.
struct Product
{
    Matrix a, b, c, d;
    Matrix bias; // a column; without data where there is none
    int64_t batches;
    int64_t batch_strides[4];
    uint64_t numerics;
};

bool element_type(const MatrixLayout& layout, ElementType& type)
{
    const int64_t number = layout.values[MatrixLayout::Type];
    type = number == TypeFloat32 ? ElementType::Float32 : ElementType::BFloat16;
    return number == TypeFloat32 || number == TypeBFloat16;
}

Matrix transposed(const Matrix& m) { return {m.data, m.type, m.columns, m.rows, m.column_stride, m.row_stride}; }

BlasStatus matrix(const MatrixLayout* layout, void* data, int64_t transpose, Matrix& made)
{
    ElementType type;
    if (layout == nullptr)
    {
        return BlasInvalidValue;
    }

    if (!element_type(*layout, type) || layout->values[MatrixLayout::Order] > 1)
    {
        return BlasNotSupported;
    }

    const int64_t* values = layout->values;
    const bool rows_together = values[MatrixLayout::Order] == 1;
    const int64_t leading = values[MatrixLayout::LeadingDimension];
    if (leading < values[rows_together ? MatrixLayout::Columns : MatrixLayout::Rows])
    {
        return BlasInvalidValue;
    }

    made = {
        data, type, values[MatrixLayout::Rows], values[MatrixLayout::Columns], rows_together ? leading : 1, rows_together ? 1 : leading};
    made = transpose != 0 ? transposed(made) : made;
    return BlasSuccess;
}

BlasStatus describe(const MatmulDescription* description, const MatrixLayout* const (&layouts)[4], void* const (&data)[4], Product& product)
{
    if (description == nullptr)
    {
        return BlasInvalidValue;
    }

    const int64_t* values = description->values;
    const int64_t compute = values[MatmulDescription::ComputeType];
    if ((compute != Compute32 && compute != Compute32Pedantic && compute != Compute32FastTf32) ||
        values[MatmulDescription::ScaleType] != TypeFloat32 || values[MatmulDescription::PointerMode] != 0 ||
        values[MatmulDescription::TransposeC] != 0 || values[MatmulDescription::FillMode] != 0 ||
        (values[MatmulDescription::Epilogue] != EpilogueNone && values[MatmulDescription::Epilogue] != EpilogueBias))
    {
        return BlasNotSupported;
    }

    Matrix* matrices[4] = {&product.a, &product.b, &product.c, &product.d};
    const int64_t transposes[4] = {values[MatmulDescription::TransposeA], values[MatmulDescription::TransposeB], 0, 0};
    for (int i = 0; i < 4; i++)
    {
        const BlasStatus status = matrix(layouts[i], data[i], transposes[i], *matrices[i]);
        if (status != BlasSuccess)
        {
            return status;
        }

        product.batch_strides[i] = layouts[i]->values[MatrixLayout::BatchStride] * bytes_of(matrices[i]->type);
        if (layouts[i]->values[MatrixLayout::BatchCount] != layouts[0]->values[MatrixLayout::BatchCount])
        {
            return BlasInvalidValue;
        }
    }

    void* bias = values[MatmulDescription::Epilogue] == EpilogueBias ? reinterpret_cast<void*>(values[MatmulDescription::BiasPointer])
                                                                     : nullptr;
    product.bias = {bias, product.d.type, product.d.rows, 1, 1, product.d.rows};
    product.batches = layouts[0]->values[MatrixLayout::BatchCount];
    const bool fits = product.a.columns == product.b.rows && product.a.rows == product.d.rows && product.b.columns == product.d.columns &&
        product.c.rows == product.d.rows && product.c.columns == product.d.columns;
    // As in the library: both factors are of one type, and so are c and d, unless a product of bf16 gives fp32.
    const bool types = product.a.type == product.b.type && product.c.type == product.d.type &&
        (product.a.type == ElementType::BFloat16 || product.d.type == ElementType::Float32);
    product.numerics = NumericsAccumulator32 | (product.a.type == ElementType::BFloat16 ? NumericsTensorCores | NumericsInputBFloat16
                                                                                        : NumericsFusedMultiplyAdd | NumericsInputFloat32);
    return !fits ? BlasInvalidValue : types ? BlasSuccess : BlasNotSupported;
}

size_t workspace_of(const MatmulAlgorithm& algorithm, const Product& product)
{
    const size_t parts = algorithm.split_k > 1
                             ? static_cast<size_t>(product.d.rows * product.d.columns * product.batches * algorithm.split_k) * sizeof(float)
                             : 0;
    return std::max(parts, algorithm.id == 1 ? SmallWorkspace : 0);
}

MatmulAlgorithm make_algorithm(int id, uint64_t numerics)
{
    MatmulAlgorithm made{};
    made.magic = MatmulAlgorithm::Magic;
    made.id = id;
    made.split_k = id == 2 ? 2 : 1;
    made.reduction = id == 2 ? ReductionComputeType : ReductionNone;
    made.numerics = numerics;
    made.tile = 20;
    made.stages = static_cast<uint32_t>(8 + id);
    return made;
}

bool valid(const MatmulAlgorithm& algorithm)
{
    return algorithm.magic == MatmulAlgorithm::Magic && algorithm.id >= 0 && algorithm.id < Algorithms && algorithm.split_k >= 1 &&
           algorithm.split_k <= 64 && (algorithm.split_k > 1) == (algorithm.reduction != ReductionNone);
}

// Columns, or rows, that lie together; all of it where nothing lies between them.
template <typename Touch> void for_runs(const Matrix& m, Touch touch)
{
    const bool columns = m.row_stride == 1;
    const int64_t length = columns ? m.rows : m.columns;
    const int64_t count = columns ? m.columns : m.rows;
    const int64_t stride = columns ? m.column_stride : m.row_stride;
    const auto begin = reinterpret_cast<uintptr_t>(m.data);
    if (stride == length)
    {
        touch(begin, static_cast<size_t>(length * count * bytes_of(m.type)));
        return;
    }

    for (int64_t i = 0; i < count; i++)
    {
        touch(begin + static_cast<uintptr_t>(i * stride * bytes_of(m.type)), static_cast<size_t>(length * bytes_of(m.type)));
    }
}

void read(const Matrix& m)
{
    for_runs(m, [](uintptr_t address, size_t bytes) { read_range(address, bytes, Demand::Written); });
}

void run(Product product, float alpha, float beta, const MatmulAlgorithm& algorithm, uintptr_t workspace)
{
    if (const size_t bytes = workspace_of(algorithm, product))
    {
        write_range(workspace, bytes);
        forget_range(workspace, bytes);
    }

    for (int64_t batch = 0; batch < product.batches; batch++)
    {
        read(product.a);
        read(product.b);
        if (beta != 0.0f)
        {
            read(product.c);
        }

        if (product.bias.data != nullptr)
        {
            read(product.bias);
        }

        for_runs(product.d, [](uintptr_t address, size_t bytes) { write_range(address, bytes); });
        multiply(alpha, product.a, product.b, beta, product.c, product.bias, product.d, {Chains[algorithm.id], algorithm.split_k});
        Matrix* matrices[4] = {&product.a, &product.b, &product.c, &product.d};
        for (int i = 0; i < 4; i++)
        {
            matrices[i]->data = static_cast<char*>(matrices[i]->data) + product.batch_strides[i];
        }
    }
}

} // namespace

CUBLASLT_API BlasStatus cublasLtMatmulAlgoGetHeuristic(void* handle, MatmulDescription* description, MatrixLayout* a, MatrixLayout* b,
    MatrixLayout* c, MatrixLayout* d, MatmulPreference* preference, int wanted, HeuristicResult* results, int* found)
{
    Product product;
    *found = 0;
    const BlasStatus status = handle == nullptr || preference == nullptr || wanted < 1 ? BlasInvalidValue
                                                                                       : describe(description, {a, b, c, d}, {}, product);
    if (status != BlasSuccess)
    {
        return status;
    }

    const int64_t* limits = preference->values;
    for (int id = 0; id < Algorithms && *found < wanted; id++)
    {
        const MatmulAlgorithm algorithm = make_algorithm(id, product.numerics);
        const size_t workspace = workspace_of(algorithm, product);
        if (workspace > static_cast<uint64_t>(limits[MatmulPreference::MaxWorkspaceBytes]) ||
            (algorithm.reduction & ~limits[MatmulPreference::ReductionSchemeMask]) != 0 ||
            (algorithm.numerics & ~static_cast<uint64_t>(limits[MatmulPreference::ImplementationMask])) != 0)
        {
            continue;
        }

        results[(*found)++] = {algorithm, workspace, BlasSuccess, 1.0f, {}};
    }

    return *found > 0 ? BlasSuccess : BlasNotSupported;
}

CUBLASLT_API BlasStatus cublasLtMatmulAlgoGetIds(void*, int, int, int, int, int, int, int wanted, int* ids, int* found)
{
    *found = 0;
    for (int id = 0; id < Algorithms && *found < wanted; id++)
    {
        ids[(*found)++] = id;
    }

    return BlasSuccess;
}

CUBLASLT_API BlasStatus cublasLtMatmulAlgoInit(void*, int, int, int a_type, int, int, int, int id, MatmulAlgorithm* algorithm)
{
    if (id < 0 || id >= Algorithms)
    {
        return BlasInvalidValue;
    }

    *algorithm = make_algorithm(id, NumericsAccumulator32 |
        (a_type == TypeBFloat16 ? NumericsTensorCores | NumericsInputBFloat16 : NumericsFusedMultiplyAdd | NumericsInputFloat32));
    return BlasSuccess;
}

CUBLASLT_API BlasStatus cublasLtMatmulAlgoCheck(void*, MatmulDescription* description, MatrixLayout* a, MatrixLayout* b, MatrixLayout* c,
    MatrixLayout* d, const MatmulAlgorithm* algorithm, HeuristicResult* result)
{
    Product product;
    const BlasStatus status = describe(description, {a, b, c, d}, {}, product);
    if (status != BlasSuccess)
    {
        return status;
    }

    const bool good = valid(*algorithm) && algorithm->numerics == product.numerics;
    *result = {*algorithm, good ? workspace_of(*algorithm, product) : 0, good ? BlasSuccess : BlasNotSupported, 1.0f, {}};
    return result->state;
}

namespace
{

struct Setting
{
    void* at;
    size_t bytes;
};

// cublasLtMatmulAlgoConfigAttributes_t.
Setting setting(MatmulAlgorithm& algorithm, int attribute)
{
    switch (attribute)
    {
    case 0: return {&algorithm.id, 4};
    case 1: return {&algorithm.tile, 4};
    case 2: return {&algorithm.split_k, 4};
    case 3: return {&algorithm.reduction, 4};
    case 4: return {&algorithm.swizzling, 4};
    case 5: return {&algorithm.custom, 4};
    case 6: return {&algorithm.stages, 4};
    case 7: return {&algorithm.reserved[0], 2};
    case 8: return {&algorithm.reserved[1], 2};
    default: return {nullptr, 0};
    }
}

BlasStatus answer(const void* from, size_t bytes, void* value, size_t size, size_t* written)
{
    if (bytes == 0 || size < bytes)
    {
        return BlasInvalidValue;
    }

    std::memcpy(value, from, bytes);
    if (written != nullptr)
    {
        *written = bytes;
    }

    return BlasSuccess;
}

} // namespace

CUBLASLT_API BlasStatus cublasLtMatmulAlgoConfigSetAttribute(MatmulAlgorithm* algorithm, int attribute, const void* value, size_t size)
{
    const Setting found = setting(*algorithm, attribute);
    if (found.bytes == 0 || size != found.bytes || attribute == 0)
    {
        return BlasInvalidValue;
    }

    std::memcpy(found.at, value, size);
    return BlasSuccess;
}

CUBLASLT_API BlasStatus cublasLtMatmulAlgoConfigGetAttribute(
    const MatmulAlgorithm* algorithm, int attribute, void* value, size_t size, size_t* written)
{
    MatmulAlgorithm copy = *algorithm;
    const Setting found = setting(copy, attribute);
    return answer(found.at, found.bytes, value, size, written);
}

// cublasLtMatmulAlgoCapAttributes_t.
CUBLASLT_API BlasStatus cublasLtMatmulAlgoCapGetAttribute(
    const MatmulAlgorithm* algorithm, int attribute, void* value, size_t size, size_t* written)
{
    constexpr int NumericalFlags = 15;
    const uint32_t reductions = ReductionComputeType;
    const int32_t yes = 1, no = 0;
    switch (attribute)
    {
    case 0: return answer(&yes, 4, value, size, written);
    case 1: return answer(&reductions, 4, value, size, written);
    case 2: return answer(&no, 4, value, size, written);
    case 3: case 4: return answer(&yes, 4, value, size, written);
    case NumericalFlags: return answer(&algorithm->numerics, 8, value, size, written);
    default: return BlasInvalidValue;
    }
}

CUBLASLT_API BlasStatus cublasLtMatmul(void* handle, MatmulDescription* description, const float* alpha, void* a, MatrixLayout* a_layout,
    void* b, MatrixLayout* b_layout, const float* beta, void* c, MatrixLayout* c_layout, void* d, MatrixLayout* d_layout,
    const MatmulAlgorithm* algorithm, void* workspace, size_t workspace_bytes, CUstream stream)
{
    Product product;
    const BlasStatus status = handle == nullptr || alpha == nullptr || beta == nullptr
        ? BlasInvalidValue
        : describe(description, {a_layout, b_layout, c_layout, d_layout}, {a, b, c, d}, product);
    if (status != BlasSuccess)
    {
        return status;
    }

    const MatmulAlgorithm chosen = algorithm == nullptr ? make_algorithm(0, product.numerics) : *algorithm;
    if (!valid(chosen) || chosen.numerics != product.numerics || workspace_of(chosen, product) > workspace_bytes ||
        (*beta != 0.0f && c == nullptr) || reinterpret_cast<uintptr_t>(workspace) % 16 != 0)
    {
        return BlasInvalidValue;
    }

    const CUresult queued = with_stream(stream,
        [&](Stream& s)
        {
            scheduler.queue(s,
                "matrix product " + std::to_string(product.d.rows) + " x " + std::to_string(product.d.columns) + " x " +
                    std::to_string(product.a.columns),
                [product, chosen, alpha = *alpha, beta = *beta, at = reinterpret_cast<uintptr_t>(workspace)]
                { run(product, alpha, beta, chosen, at); });
            return Success;
        });
    return queued == Success ? BlasSuccess : BlasExecutionFailed;
}
