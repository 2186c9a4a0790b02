using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda.Tests;

/// <summary>The bindings against a real cuBLASLt, which describes products without a GPU.</summary>
public class CublasLibraryTests
{
    public CublasLibraryTests() => Fetched.UseCublas();

    [Fact]
    public void It_is_of_CUDA_12_or_13() => Assert.InRange(CublasLt.LibraryVersion.Major, 12, 13);

    [Fact]
    public void A_description_keeps_types_and_operations()
    {
        using var description = MatmulDescription.Create(ComputeType.Float32, MatrixOperation.Transpose, MatrixOperation.None);
        Assert.Equal((int)ComputeType.Float32, description.Get(MatmulDescriptionAttribute.ComputeType));
        Assert.Equal((int)BlasType.Float32, description.Get(MatmulDescriptionAttribute.ScaleType));
        Assert.Equal((int)MatrixOperation.Transpose, description.Get(MatmulDescriptionAttribute.TransposeA));
        Assert.Equal((int)MatrixOperation.None, description.Get(MatmulDescriptionAttribute.TransposeB));
        Assert.Equal(0, description.Get(MatmulDescriptionAttribute.PointerMode)); // alpha and beta in host memory
        Assert.Equal(1, description.Get(MatmulDescriptionAttribute.Epilogue)); // none
        Assert.Equal(0, description.Get(MatmulDescriptionAttribute.MultiprocessorTarget)); // all of them
    }

    [Theory]
    [InlineData(ComputeType.Float32)]
    [InlineData(ComputeType.Float32Pedantic)]
    [InlineData(ComputeType.Float32FastTf32)]
    [InlineData(ComputeType.Float64)]
    public void It_knows_every_compute_type(ComputeType type)
    {
        using var description = MatmulDescription.Create(type, MatrixOperation.None, MatrixOperation.Transpose);
        Assert.Equal((int)type, description.Get(MatmulDescriptionAttribute.ComputeType));
    }

    [Theory]
    [InlineData(BlasType.BFloat16, MatrixOrder.ColumnMajor)]
    [InlineData(BlasType.Float32, MatrixOrder.RowMajor)]
    [InlineData(BlasType.Float64, MatrixOrder.RowMajor)]
    [InlineData(BlasType.Float16, MatrixOrder.ColumnMajor)]
    [InlineData(BlasType.Int8, MatrixOrder.ColumnMajor)]
    [InlineData(BlasType.Int32, MatrixOrder.ColumnMajor)]
    public void A_layout_keeps_what_it_was_given(BlasType type, MatrixOrder order)
    {
        using var layout = MatrixLayout.Create(type, 4096, 1L << 33, 5000, order);
        Assert.Equal((long)type, layout.Get(MatrixLayoutAttribute.Type, 4));
        Assert.Equal((long)order, layout.Get(MatrixLayoutAttribute.Order, 4));
        Assert.Equal(4096, layout.Get(MatrixLayoutAttribute.Rows, 8));
        Assert.Equal(1L << 33, layout.Get(MatrixLayoutAttribute.Columns, 8));
        Assert.Equal(5000, layout.Get(MatrixLayoutAttribute.LeadingDimension, 8));
        Assert.Equal(1, layout.Get(MatrixLayoutAttribute.BatchCount, 4));
        Assert.Equal(0, layout.Get(MatrixLayoutAttribute.BatchStride, 8));
    }

    [Fact]
    public void A_preference_keeps_its_limits_and_has_the_headers_defaults()
    {
        using var preference = MatmulPreference.Create(
            new Bytes(32 << 20),
            ReductionSchemes.ComputeType,
            NumericalFlags.TensorCoresHalf | NumericalFlags.AccumulatorFloat32 | NumericalFlags.InputBFloat16
        );
        Assert.Equal(32uL << 20, preference.Get(MatmulPreferenceAttribute.MaxWorkspaceBytes, 8));
        Assert.Equal(2uL, preference.Get(MatmulPreferenceAttribute.ReductionSchemeMask, 4));
        Assert.Equal(0x20202uL, preference.Get(MatmulPreferenceAttribute.ImplementationMask, 8));
        Assert.Equal(256uL, preference.Get(MatmulPreferenceAttribute.MinAlignmentA, 4));
        Assert.Equal(256uL, preference.Get(MatmulPreferenceAttribute.MinAlignmentD, 4));
        Assert.Equal(0uL, preference.Get(MatmulPreferenceAttribute.SearchMode, 4));
        Assert.Equal(0uL, preference.Get(MatmulPreferenceAttribute.MaxWaves, 4));
    }

    [Fact]
    public void An_attribute_of_the_wrong_size_is_refused_in_words()
    {
        using var layout = MatrixLayout.Create(BlasType.Float32, 4, 4, 4);
        var refused = Assert.Throws<CudaException>(() => layout.Get(MatrixLayoutAttribute.Rows, 4));
        Assert.Equal("CUBLAS_STATUS_INVALID_VALUE", refused.Status);
        Assert.StartsWith("reading Rows of a matrix failed: ", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(BlasStatus.NotInitialized, "CUBLAS_STATUS_NOT_INITIALIZED")]
    [InlineData(BlasStatus.AllocationFailed, "CUBLAS_STATUS_ALLOC_FAILED")]
    [InlineData(BlasStatus.InvalidValue, "CUBLAS_STATUS_INVALID_VALUE")]
    [InlineData(BlasStatus.ArchitectureMismatch, "CUBLAS_STATUS_ARCH_MISMATCH")]
    [InlineData(BlasStatus.MappingError, "CUBLAS_STATUS_MAPPING_ERROR")]
    [InlineData(BlasStatus.ExecutionFailed, "CUBLAS_STATUS_EXECUTION_FAILED")]
    [InlineData(BlasStatus.InternalError, "CUBLAS_STATUS_INTERNAL_ERROR")]
    [InlineData(BlasStatus.NotSupported, "CUBLAS_STATUS_NOT_SUPPORTED")]
    internal void It_names_statuses_as_the_bindings_number_them(BlasStatus status, string name)
    {
        var failure = Assert.Throws<CudaException>(() => status.Check("trying"));
        Assert.Equal(name, failure.Status);
    }

    [Fact]
    public unsafe void Without_a_driver_it_does_not_start_and_says_so()
    {
        Assert.SkipWhen(CudaLibraries.Lack(CudaLibrary.Driver) is null, "this machine has a driver");
        nint handle;
        Assert.Equal(BlasStatus.NotInitialized, CublasLtApi.cublasLtCreate(&handle));
    }

    [Theory]
    [InlineData(AlgorithmAttribute.Id, 4)]
    [InlineData(AlgorithmAttribute.Tile, 4)]
    [InlineData(AlgorithmAttribute.SplitK, 4)]
    [InlineData(AlgorithmAttribute.ReductionScheme, 4)]
    [InlineData(AlgorithmAttribute.Swizzling, 4)]
    [InlineData(AlgorithmAttribute.CustomOption, 4)]
    [InlineData(AlgorithmAttribute.Stages, 4)]
    [InlineData(AlgorithmAttribute.InnerShape, 2)]
    [InlineData(AlgorithmAttribute.ClusterShape, 2)]
    internal unsafe void An_algorithms_settings_are_as_wide_as_they_are_read(AlgorithmAttribute attribute, int size)
    {
        // Asked with no room, the library says how many bytes it would write.
        MatmulAlgorithm algorithm = default;
        nuint wanted = 0;
        Assert.Equal(BlasStatus.Success, CublasLtApi.cublasLtMatmulAlgoConfigGetAttribute(&algorithm, attribute, null, 0, &wanted));
        Assert.Equal((nuint)size, wanted);
    }

    [Fact]
    public void Settings_can_be_read_and_changed()
    {
        var algorithm = default(MatmulAlgorithm).WithSplitK(4, ReductionSchemes.ComputeType);
        Assert.Equal(4, MatmulAlgorithms.Read<int>(algorithm, AlgorithmAttribute.SplitK));
        Assert.Equal(ReductionSchemes.ComputeType, MatmulAlgorithms.Read<ReductionSchemes>(algorithm, AlgorithmAttribute.ReductionScheme));
    }
}
