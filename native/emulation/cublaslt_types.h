// cuBLASLt's types and numbers as far as we use them.
#pragma once

#include <cstddef>
#include <cstdint>

#define CUBLASLT_API extern "C" __attribute__((visibility("default")))

namespace emulation
{

typedef int BlasStatus;
constexpr BlasStatus BlasSuccess = 0;
constexpr BlasStatus BlasNotInitialized = 1;
constexpr BlasStatus BlasInvalidValue = 7;
constexpr BlasStatus BlasExecutionFailed = 13;
constexpr BlasStatus BlasNotSupported = 15;

constexpr int TypeFloat32 = 0;
constexpr int TypeBFloat16 = 14;

constexpr int Compute32 = 68;
constexpr int Compute32Pedantic = 69;
constexpr int Compute32FastTf32 = 77;

// cublasLtEpilogue_t.
constexpr int EpilogueNone = 1;
constexpr int EpilogueBias = 4;

// cublasLtMatmulDescAttributes_t; one value each.
struct MatmulDescription
{
    int64_t values[64] = {};

    enum
    {
        ComputeType = 0,
        ScaleType = 1,
        PointerMode = 2,
        TransposeA = 3,
        TransposeB = 4,
        TransposeC = 5,
        FillMode = 6,
        Epilogue = 7,
        BiasPointer = 8,
    };
};

// cublasLtMatrixLayoutAttribute_t.
struct MatrixLayout
{
    int64_t values[8] = {};

    enum
    {
        Type = 0,
        Order = 1, // 0: columns lie together, 1: rows do
        Rows = 2,
        Columns = 3,
        LeadingDimension = 4,
        BatchCount = 5,
        BatchStride = 6,
    };
};

// cublasLtMatmulPreferenceAttributes_t.
struct MatmulPreference
{
    int64_t values[16] = {};

    enum
    {
        SearchMode = 0,
        MaxWorkspaceBytes = 1,
        ReductionSchemeMask = 3,
        ImplementationMask = 12,
    };
};

// cublasLtMatmulAlgo_t: 64 bytes that only the library reads.
struct MatmulAlgorithm
{
    uint32_t magic;
    int32_t id;
    int32_t split_k;
    uint32_t reduction;
    uint64_t numerics;
    uint32_t tile;
    uint32_t stages;
    uint32_t swizzling;
    uint32_t custom;
    uint64_t reserved[3];

    static constexpr uint32_t Magic = 0xe311a7ed;
};

static_assert(sizeof(MatmulAlgorithm) == 64);

// cublasLtMatmulHeuristicResult_t.
struct HeuristicResult
{
    MatmulAlgorithm algorithm;
    size_t workspace_bytes;
    BlasStatus state;
    float waves;
    int reserved[4];
};

static_assert(sizeof(HeuristicResult) == 96);

// cublasLtReductionScheme_t.
constexpr uint32_t ReductionNone = 0;
constexpr uint32_t ReductionComputeType = 2;

// cublasLtNumericalImplFlags_t.
constexpr uint64_t NumericsFusedMultiplyAdd = 0x01;
constexpr uint64_t NumericsTensorCores = 0x02;
constexpr uint64_t NumericsAccumulator32 = 0x02 << 8;
constexpr uint64_t NumericsInputBFloat16 = 0x02 << 16;
constexpr uint64_t NumericsInputFloat32 = 0x08 << 16;

} // namespace emulation
