using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/column_sum.cu: the gradient of a bias, and the second stage of that of a norm's scale.</summary>
internal sealed class ColumnSum(KernelLibrary library)
{
    private readonly RowFunction sum = library.Rows("column_sum", "column_sum");
    private readonly RowFunction sumOfBFloat16 = library.Rows("column_sum", "column_sum_bf16");

    /// <inheritdoc cref="IKernels.ColumnSum"/>
    public void Run(CudaStream stream, in ColumnSumArguments call) =>
        Launch(
            stream,
            call.A.Type,
            call.A.Address,
            call.A.Rows,
            call.C,
            call.Accumulate
        );

    /// <summary>result (+)= the sum of partials [rows, columns of the result] fp32.</summary>
    public void Run(CudaStream stream, nuint partials, int rows, Tensor result, bool accumulate) =>
        Launch(stream, DType.Float32, partials, rows, result, accumulate);

    private void Launch(CudaStream stream, DType type, nuint from, int rows, in Tensor to, bool accumulate)
    {
        var functions = type == DType.Float32 ? sum : sumOfBFloat16;
        (IsAligned(type, to.Columns) ? functions.Aligned : functions.Unaligned)[to.Type]
            .Launch(stream, new((int)Up(to.Columns, 32), 256), At(from), At(to), rows, to.Columns, accumulate ? 1 : 0);
    }
}
