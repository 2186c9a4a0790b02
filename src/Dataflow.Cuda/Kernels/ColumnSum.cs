using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/column_sum.cu: the second stage of a weight vector's gradient.</summary>
internal sealed class ColumnSum(KernelLibrary library)
{
    private readonly TypedFunction sum = library.Typed("column_sum", "column_sum");

    /// <summary>result (+)= the sum of partials [rows, columns of the result] fp32.</summary>
    public void Run(CudaStream stream, nuint partials, int rows, Tensor result, bool accumulate) =>
        sum[result.Type]
            .Launch(stream, new((int)Up(result.Columns, 32), 256), At(partials), At(result), rows, result.Columns, accumulate ? 1 : 0);
}
