using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// kernels/grouped_gemm.cu: the products of experts, in one launch each. How many rows an expert has stays on the device: a launch has as
/// many blocks as there may be tiles.
/// </summary>
internal sealed class GroupedGemm(KernelLibrary library)
{
    private const string File = "grouped_gemm";
    private const int Block = 256;
    private const int PlainTile = 64;
    private const int TensorTile = 128;
    private const int TensorShared = 32768;

    private readonly Forms forward = new(library, "nt", "");
    private readonly Forms inputGradient = new(library, "nn", "");
    private readonly Forms weightGradient = new(library, "tn", "");
    private readonly Forms wideWeightGradient = new(library, "tn", "_f32");

    /// <inheritdoc cref="IKernels.GroupedGemm"/>
    public void Run(CudaStream stream, in GroupedGemmArguments call)
    {
        bool aligned = Starts(call.A) && Starts(call.C) && IsAligned(call.A.Type, call.A.Columns) && IsAligned(call.C.Type, call.C.Columns);
        var forms = call.TransposeB == Transpose.Yes ? forward : inputGradient;
        int tile = TileOf(call.A.Type, aligned);
        var grid = new Extent((int)Up(call.C.Columns, tile), (call.A.Rows / tile) + call.Experts);
        forms[call.A.Type, aligned].Launch(
            stream, Shape(grid, tile), At(call.A), At(call.B), At(call.ExpertRows), At(call.C), call.Experts, call.C.Columns,
            call.A.Columns, (long)call.A.Stride, (long)call.C.Stride, call.Scale, call.Accumulate ? 1 : 0);
    }

    /// <inheritdoc cref="IKernels.GroupedGemmWeightGradient"/>
    public void WeightGradient(CudaStream stream, in GroupedGemmWeightGradientArguments call)
    {
        bool aligned = Starts(call.A) && Starts(call.B) && IsAligned(call.A.Type, call.A.Columns) && IsAligned(call.B.Type, call.B.Columns);
        var forms = call.C.Type == DType.Float32 ? wideWeightGradient : weightGradient;
        int tile = TileOf(call.A.Type, aligned);
        var grid = new Extent((int)Up(call.B.Columns, tile), (int)Up(call.A.Columns, tile), call.Experts);
        forms[call.A.Type, aligned].Launch(
            stream, Shape(grid, tile), At(call.A), At(call.B), At(call.ExpertRows), At(call.C), call.A.Columns, call.B.Columns,
            (long)call.A.Stride, (long)call.B.Stride, call.Scale, call.Accumulate ? 1 : 0);
    }

    /// <summary>Every row starts on 16 bytes.</summary>
    private static bool Starts(in Runtime.Tensor tensor) => tensor.Address % 16 == 0 && IsAligned(tensor.Type, tensor.Stride);

    /// <summary>Tensor cores take bf16 whose rows start on 16 bytes; plain products take any.</summary>
    private static int TileOf(DType type, bool aligned) => type == DType.BFloat16 && aligned ? TensorTile : PlainTile;

    private static LaunchShape Shape(Extent grid, int tile) => new(grid, Block, tile == TensorTile ? TensorShared : 0);

    /// <summary>One form of product, by type and by whether rows start on 16 bytes; fp32 products have results of fp32 alone.</summary>
    private readonly struct Forms(KernelLibrary library, string form, string result)
    {
        private readonly CudaFunction float32 = library.Function(File, $"{File}_{form}_f32");
        private readonly CudaFunction aligned = library.Function(File, $"{File}_{form}_bf16{result}");
        private readonly CudaFunction unaligned = library.Function(File, $"{File}_{form}_bf16{result}_unaligned");

        public CudaFunction this[DType type, bool aligned] =>
            type == DType.Float32 ? float32
            : aligned ? this.aligned
            : unaligned;
    }
}
