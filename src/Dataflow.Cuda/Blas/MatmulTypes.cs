using System.Runtime.CompilerServices;

namespace Dataflow.Cuda;

/// <summary>cudaDataType_t: the types that matrices have here.</summary>
public enum BlasType
{
    /// <summary>fp32.</summary>
    Float32 = 0,

    /// <summary>fp64.</summary>
    Float64 = 1,

    /// <summary>fp16.</summary>
    Float16 = 2,

    /// <summary>Signed integers of 8 bits.</summary>
    Int8 = 3,

    /// <summary>Signed integers of 32 bits.</summary>
    Int32 = 10,

    /// <summary>bf16.</summary>
    BFloat16 = 14,
}

/// <summary>cublasComputeType_t: in what products are accumulated.</summary>
public enum ComputeType
{
    /// <summary>fp32 without a reduced-precision mode for fp32 operands; bf16 operands use tensor cores.</summary>
    Float32 = 68,

    /// <summary>As above, and no algorithm may change the order or the type of a step for speed.</summary>
    Float32Pedantic = 69,

    /// <summary>fp32 operands rounded to TF32. No recipe of this project uses it.</summary>
    Float32FastTf32 = 77,

    /// <summary>fp64.</summary>
    Float64 = 70,
}

/// <summary>cublasOperation_t.</summary>
public enum MatrixOperation
{
    /// <summary>The matrix as it is.</summary>
    None = 0,

    /// <summary>Its transpose.</summary>
    Transpose = 1,
}

/// <summary>cublasLtEpilogue_t: what is done to a product before it is rounded.</summary>
public enum MatmulEpilogue
{
    /// <summary>Nothing.</summary>
    None = 1,

    /// <summary>Each column gets a vector added.</summary>
    Bias = 4,
}

/// <summary>cublasLtOrder_t.</summary>
public enum MatrixOrder
{
    /// <summary>Columns lie together.</summary>
    ColumnMajor = 0,

    /// <summary>Rows lie together.</summary>
    RowMajor = 1,
}

/// <summary>cublasLtReductionScheme_t: how parts of a sum over k that was split are put together.</summary>
[Flags]
public enum ReductionSchemes : uint
{
    /// <summary>The sum is not split.</summary>
    None = 0,

    /// <summary>One part after the other into the output, in whatever order they end: not repeatable.</summary>
    InPlace = 1,

    /// <summary>Parts in the compute type in the workspace, added by a second kernel.</summary>
    ComputeType = 2,

    /// <summary>Parts in the output's type in the workspace, added by a second kernel.</summary>
    OutputType = 4,
}

/// <summary>cublasLtNumericalImplFlags_t: what an algorithm computes with. Three groups; a mask must allow one of each.</summary>
[Flags]
public enum NumericalFlags : ulong
{
    /// <summary>Not known.</summary>
    None = 0,

    /// <summary>Multiplies by fused multiply-add, without tensor cores.</summary>
    FusedMultiplyAdd = 0x01,

    /// <summary>Multiplies by tensor cores for 16-bit floating point (HMMA).</summary>
    TensorCoresHalf = 0x02,

    /// <summary>Multiplies by tensor cores for integers (IMMA).</summary>
    TensorCoresInteger = 0x04,

    /// <summary>Multiplies by tensor cores for fp64 (DMMA).</summary>
    TensorCoresDouble = 0x08,

    /// <summary>Accumulates in fp16.</summary>
    AccumulatorFloat16 = 0x01 << 8,

    /// <summary>Accumulates in fp32.</summary>
    AccumulatorFloat32 = 0x02 << 8,

    /// <summary>Accumulates in fp64.</summary>
    AccumulatorFloat64 = 0x04 << 8,

    /// <summary>Accumulates in integers of 32 bits.</summary>
    AccumulatorInt32 = 0x08 << 8,

    /// <summary>Multiplies operands as fp16.</summary>
    InputFloat16 = 0x01 << 16,

    /// <summary>Multiplies operands as bf16.</summary>
    InputBFloat16 = 0x02 << 16,

    /// <summary>Multiplies operands as TF32.</summary>
    InputTf32 = 0x04 << 16,

    /// <summary>Multiplies operands as fp32.</summary>
    InputFloat32 = 0x08 << 16,

    /// <summary>Multiplies operands as fp64.</summary>
    InputFloat64 = 0x10 << 16,
}

/// <summary>cublasLtMatmulAlgo_t: an algorithm with all its settings, 64 bytes that only the library reads. They may be kept for later runs
/// on the same device with the same library version, and for nothing else.</summary>
[InlineArray(8)]
public struct MatmulAlgorithm
{
    private ulong first;
}

/// <summary>Factors of d = alpha op(a) op(b) + beta c, and the first byte of each matrix, as the problem lays it out.</summary>
public readonly record struct MatmulOperands
{
    /// <summary>Factor of the product.</summary>
    public required float Alpha { get; init; }

    /// <summary>The left matrix.</summary>
    public required DevicePointer A { get; init; }

    /// <summary>The right matrix.</summary>
    public required DevicePointer B { get; init; }

    /// <summary>Factor of c; 0: c is not read.</summary>
    public required float Beta { get; init; }

    /// <summary>The matrix that is added; may be d.</summary>
    public required DevicePointer C { get; init; }

    /// <summary>The result.</summary>
    public required DevicePointer D { get; init; }
}

/// <summary>An algorithm that the library proposes for a product.</summary>
/// <param name="Algorithm">With all its settings.</param>
/// <param name="Workspace">Bytes of device memory that it needs.</param>
/// <param name="Waves">Blocks over what the device runs at once.</param>
public readonly record struct MatmulCandidate(MatmulAlgorithm Algorithm, Model.Bytes Workspace, float Waves)
{
    /// <summary>Whether it gives the same bits each time: a sum that is split is not put together in whatever order parts end.</summary>
    public bool IsRepeatable => Algorithm.Settings() is not { SplitK: > 1 } split || (split.Reduction & ReductionSchemes.InPlace) == 0;
}

/// <summary>An algorithm's settings, for reports and for asking whether it is repeatable.</summary>
public sealed record AlgorithmSettings
{
    /// <summary>Which algorithm.</summary>
    public required int Id { get; init; }

    /// <summary>cublasLtMatmulTile_t.</summary>
    public required uint Tile { get; init; }

    /// <summary>cublasLtMatmulStages_t.</summary>
    public required uint Stages { get; init; }

    /// <summary>Parts that k is split into; 1 or less: it is not.</summary>
    public required int SplitK { get; init; }

    /// <summary>How the parts are put together.</summary>
    public required ReductionSchemes Reduction { get; init; }

    /// <summary>How blocks are numbered.</summary>
    public required uint Swizzling { get; init; }

    /// <summary>Of that algorithm alone.</summary>
    public required uint CustomOption { get; init; }

    /// <summary>cublasLtMatmulInnerShape_t.</summary>
    public required ushort InnerShape { get; init; }

    /// <summary>cublasLtClusterShape_t.</summary>
    public required ushort ClusterShape { get; init; }

    /// <summary>What it computes with.</summary>
    public required NumericalFlags Numerics { get; init; }
}
