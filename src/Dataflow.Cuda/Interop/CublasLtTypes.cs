using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>cublasStatus_t.</summary>
internal enum BlasStatus
{
    Success = 0,
    NotInitialized = 1,
    AllocationFailed = 3,
    InvalidValue = 7,
    ArchitectureMismatch = 8,
    MappingError = 11,
    ExecutionFailed = 13,
    InternalError = 14,
    NotSupported = 15,
}

/// <summary>cublasLtMatmulDescAttributes_t.</summary>
internal enum MatmulDescriptionAttribute
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
    MultiprocessorTarget = 15,
}

/// <summary>cublasLtMatrixLayoutAttribute_t.</summary>
internal enum MatrixLayoutAttribute
{
    Type = 0,
    Order = 1,
    Rows = 2,
    Columns = 3,
    LeadingDimension = 4,
    BatchCount = 5,
    BatchStride = 6,
}

/// <summary>cublasLtMatmulPreferenceAttributes_t.</summary>
internal enum MatmulPreferenceAttribute
{
    SearchMode = 0,
    MaxWorkspaceBytes = 1,
    ReductionSchemeMask = 3,
    MinAlignmentA = 5,
    MinAlignmentB = 6,
    MinAlignmentC = 7,
    MinAlignmentD = 8,
    MaxWaves = 9,
    ImplementationMask = 12,
}

/// <summary>cublasLtMatmulAlgoConfigAttributes_t.</summary>
internal enum AlgorithmAttribute
{
    Id = 0,
    Tile = 1,
    SplitK = 2,
    ReductionScheme = 3,
    Swizzling = 4,
    CustomOption = 5,
    Stages = 6,
    InnerShape = 7,
    ClusterShape = 8,
}

/// <summary>cublasLtMatmulAlgoCapAttributes_t.</summary>
internal enum AlgorithmCapability
{
    SplitKSupport = 0,
    ReductionSchemeMask = 1,
    SwizzlingSupport = 2,
    StridedBatchSupport = 3,
    OutOfPlaceSupport = 4,
    NumericalFlags = 15,
}

/// <summary>cublasLtMatmulHeuristicResult_t.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HeuristicResult
{
    public MatmulAlgorithm Algorithm;
    public nuint WorkspaceBytes;
    public BlasStatus State;
    public float Waves;
    public Reserved4 Reserved;

    [InlineArray(4)]
    public struct Reserved4
    {
        private int first;
    }
}
