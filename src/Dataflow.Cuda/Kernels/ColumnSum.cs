using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/column_sum.cu: the gradient of a bias, and the second stage of that of a norm's scale.</summary>
internal sealed class ColumnSum(KernelLibrary library)
{
    private readonly TypedFunction sum = library.Typed("column_sum", "column_sum");
    private readonly TypedFunction sumOfBFloat16 = library.Typed("column_sum", "column_sum_bf16");

    /// <inheritdoc cref="IKernels.ColumnSum"/>
    public void Run(CudaStream stream, in ColumnSumArguments call) =>
        Launch(
            (call.A.Type == DType.Float32 ? sum : sumOfBFloat16)[call.C.Type],
            stream,
            call.A.Address,
            call.A.Rows,
            call.C,
            call.Accumulate
        );

    /// <summary>result (+)= the sum of partials [rows, columns of the result] fp32.</summary>
    public void Run(CudaStream stream, nuint partials, int rows, Tensor result, bool accumulate) =>
        Launch(sum[result.Type], stream, partials, rows, result, accumulate);

    private static void Launch(CudaFunction function, CudaStream stream, nuint from, int rows, in Tensor to, bool accumulate) =>
        function.Launch(stream, new((int)Up(to.Columns, 32), 256), At(from), At(to), rows, to.Columns, accumulate ? 1 : 0);
}
