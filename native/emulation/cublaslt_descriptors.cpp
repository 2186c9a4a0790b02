// cuBLASLt's handles and descriptors: values by number, with the sizes that the library demands.
#include <cstring>

#include "cublaslt_types.h"
#include "driver.h"
#include "options.h"

using namespace emulation;

namespace
{

size_t description_size(int attribute)
{
    switch (attribute)
    {
    case 8: case 10: case 11: case 12: case 13: case 17: case 18: case 19: case 20: return 8;
    default: return attribute >= 0 && attribute < 32 ? 4 : 0;
    }
}

size_t layout_size(int attribute)
{
    switch (attribute)
    {
    case MatrixLayout::Type: case MatrixLayout::Order: case MatrixLayout::BatchCount: return 4;
    case MatrixLayout::Rows: case MatrixLayout::Columns: case MatrixLayout::LeadingDimension: case MatrixLayout::BatchStride: return 8;
    default: return 0;
    }
}

size_t preference_size(int attribute)
{
    switch (attribute)
    {
    case MatmulPreference::MaxWorkspaceBytes: case MatmulPreference::ImplementationMask: return 8;
    case 0: case 3: case 5: case 6: case 7: case 8: case 9: return 4;
    default: return 0;
    }
}

BlasStatus set(int64_t* values, int attribute, size_t expected, const void* value, size_t size)
{
    if (expected == 0 || value == nullptr || size != expected)
    {
        return BlasInvalidValue;
    }

    values[attribute] = 0;
    std::memcpy(&values[attribute], value, size);
    return BlasSuccess;
}

BlasStatus get(const int64_t* values, int attribute, size_t expected, void* value, size_t size, size_t* written)
{
    if (expected == 0)
    {
        return BlasInvalidValue;
    }

    if (written != nullptr)
    {
        *written = expected;
    }

    if (size == 0 && written != nullptr)
    {
        return BlasSuccess; // asks for the size
    }

    if (value == nullptr || size < expected)
    {
        return BlasInvalidValue;
    }

    std::memcpy(value, &values[attribute], expected);
    return BlasSuccess;
}

template <typename T> BlasStatus destroy(T* made)
{
    delete made;
    return BlasSuccess;
}

} // namespace

CUBLASLT_API BlasStatus cublasLtCreate(void** handle)
{
    if (handle == nullptr)
    {
        return BlasInvalidValue;
    }

    if (options.cublas == 0 || !driver.initialized || driver.context_references == 0)
    {
        return BlasNotInitialized;
    }

    *handle = new int(0);
    return BlasSuccess;
}

CUBLASLT_API BlasStatus cublasLtDestroy(void* handle) { return destroy(static_cast<int*>(handle)); }

CUBLASLT_API size_t cublasLtGetVersion() { return 120400; }

CUBLASLT_API size_t cublasLtGetCudartVersion() { return 12040; }

CUBLASLT_API const char* cublasLtGetStatusName(BlasStatus status)
{
    switch (status)
    {
    case BlasSuccess: return "CUBLAS_STATUS_SUCCESS";
    case BlasNotInitialized: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case BlasInvalidValue: return "CUBLAS_STATUS_INVALID_VALUE";
    case BlasExecutionFailed: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case BlasNotSupported: return "CUBLAS_STATUS_NOT_SUPPORTED";
    default: return "CUBLAS_STATUS_UNKNOWN";
    }
}

CUBLASLT_API const char* cublasLtGetStatusString(BlasStatus status) { return cublasLtGetStatusName(status); }

CUBLASLT_API BlasStatus cublasLtMatmulDescCreate(MatmulDescription** description, int compute, int scale)
{
    *description = new MatmulDescription();
    (*description)->values[MatmulDescription::ComputeType] = compute;
    (*description)->values[MatmulDescription::ScaleType] = scale;
    (*description)->values[MatmulDescription::Epilogue] = EpilogueNone;
    return BlasSuccess;
}

CUBLASLT_API BlasStatus cublasLtMatmulDescDestroy(MatmulDescription* description) { return destroy(description); }

CUBLASLT_API BlasStatus cublasLtMatmulDescSetAttribute(MatmulDescription* description, int attribute, const void* value, size_t size)
{
    return set(description->values, attribute, description_size(attribute), value, size);
}

CUBLASLT_API BlasStatus cublasLtMatmulDescGetAttribute(
    MatmulDescription* description, int attribute, void* value, size_t size, size_t* written)
{
    return get(description->values, attribute, description_size(attribute), value, size, written);
}

CUBLASLT_API BlasStatus cublasLtMatrixLayoutCreate(
    MatrixLayout** layout, int type, uint64_t rows, uint64_t columns, int64_t leading_dimension)
{
    *layout = new MatrixLayout();
    int64_t* values = (*layout)->values;
    values[MatrixLayout::Type] = type;
    values[MatrixLayout::Rows] = static_cast<int64_t>(rows);
    values[MatrixLayout::Columns] = static_cast<int64_t>(columns);
    values[MatrixLayout::LeadingDimension] = leading_dimension;
    values[MatrixLayout::BatchCount] = 1;
    return BlasSuccess;
}

CUBLASLT_API BlasStatus cublasLtMatrixLayoutDestroy(MatrixLayout* layout) { return destroy(layout); }

CUBLASLT_API BlasStatus cublasLtMatrixLayoutSetAttribute(MatrixLayout* layout, int attribute, const void* value, size_t size)
{
    return set(layout->values, attribute, layout_size(attribute), value, size);
}

CUBLASLT_API BlasStatus cublasLtMatrixLayoutGetAttribute(MatrixLayout* layout, int attribute, void* value, size_t size, size_t* written)
{
    return get(layout->values, attribute, layout_size(attribute), value, size, written);
}

CUBLASLT_API BlasStatus cublasLtMatmulPreferenceCreate(MatmulPreference** preference)
{
    *preference = new MatmulPreference();
    (*preference)->values[MatmulPreference::ReductionSchemeMask] = 7;
    (*preference)->values[MatmulPreference::ImplementationMask] = -1;
    return BlasSuccess;
}

CUBLASLT_API BlasStatus cublasLtMatmulPreferenceDestroy(MatmulPreference* preference) { return destroy(preference); }

CUBLASLT_API BlasStatus cublasLtMatmulPreferenceSetAttribute(MatmulPreference* preference, int attribute, const void* value, size_t size)
{
    return set(preference->values, attribute, preference_size(attribute), value, size);
}

CUBLASLT_API BlasStatus cublasLtMatmulPreferenceGetAttribute(
    MatmulPreference* preference, int attribute, void* value, size_t size, size_t* written)
{
    return get(preference->values, attribute, preference_size(attribute), value, size, written);
}
