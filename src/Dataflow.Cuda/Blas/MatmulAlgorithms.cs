using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda;

/// <summary>Reads an algorithm's settings.</summary>
public static unsafe class MatmulAlgorithms
{
    /// <summary>All of them.</summary>
    public static AlgorithmSettings Settings(this MatmulAlgorithm algorithm) =>
        new()
        {
            Id = Read<int>(algorithm, AlgorithmAttribute.Id),
            Tile = Read<uint>(algorithm, AlgorithmAttribute.Tile),
            Stages = Read<uint>(algorithm, AlgorithmAttribute.Stages),
            SplitK = Read<int>(algorithm, AlgorithmAttribute.SplitK),
            Reduction = Read<ReductionSchemes>(algorithm, AlgorithmAttribute.ReductionScheme),
            Swizzling = Read<uint>(algorithm, AlgorithmAttribute.Swizzling),
            CustomOption = Read<uint>(algorithm, AlgorithmAttribute.CustomOption),
            InnerShape = Read<ushort>(algorithm, AlgorithmAttribute.InnerShape),
            ClusterShape = Read<ushort>(algorithm, AlgorithmAttribute.ClusterShape),
            Numerics = Numerics(algorithm),
        };

    /// <summary>The same algorithm with k split another way; whether it still suits is what <see cref="CublasLt.Check"/> tells.</summary>
    public static MatmulAlgorithm WithSplitK(this MatmulAlgorithm algorithm, int parts, ReductionSchemes reduction)
    {
        Set(ref algorithm, AlgorithmAttribute.SplitK, parts);
        Set(ref algorithm, AlgorithmAttribute.ReductionScheme, reduction);
        return algorithm;
    }

    internal static T Read<T>(MatmulAlgorithm algorithm, AlgorithmAttribute attribute)
        where T : unmanaged
    {
        T value;
        nuint written;
        CublasLtApi
            .cublasLtMatmulAlgoConfigGetAttribute(&algorithm, attribute, &value, (nuint)sizeof(T), &written)
            .Check($"reading {attribute} of an algorithm");
        return value;
    }

    private static void Set<T>(ref MatmulAlgorithm algorithm, AlgorithmAttribute attribute, T value)
        where T : unmanaged
    {
        fixed (MatmulAlgorithm* chosen = &algorithm)
        {
            CublasLtApi
                .cublasLtMatmulAlgoConfigSetAttribute(chosen, attribute, &value, (nuint)sizeof(T))
                .Check($"setting {attribute} of an algorithm");
        }
    }

    private static NumericalFlags Numerics(MatmulAlgorithm algorithm)
    {
        NumericalFlags flags;
        nuint written;
        CublasLtApi
            .cublasLtMatmulAlgoCapGetAttribute(&algorithm, AlgorithmCapability.NumericalFlags, &flags, sizeof(ulong), &written)
            .Check("reading what an algorithm computes with");
        return flags;
    }
}
