using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/grouped_bias.cu: biases of experts.</summary>
internal sealed class GroupedBias(KernelLibrary library)
{
    private const string File = "grouped_bias";
    private const int Block = 256;
    private const int Strip = 32;

    private readonly RowFunction forward = library.Rows(File, "grouped_bias_forward");
    private readonly CudaFunction forwardOfBFloat16 = library.Function(File, "grouped_bias_forward_f32_bf16");
    private readonly RowFunction sum = library.Rows(File, "grouped_bias_sum");
    private readonly AlignedFunction wideSum = library.AnyRows(File, "grouped_bias_sum_bf16_f32");
    private readonly RowFunction weights = library.Rows(File, "grouped_bias_weights");

    /// <inheritdoc cref="IKernels.GroupedBiasForward"/>
    public void Forward(CudaStream stream, in GroupedBiasForwardArguments call)
    {
        var x = call.X;
        var function = call.Bias.Type == x.Type ? forward[x.Type, x.Columns] : forwardOfBFloat16;
        function.Launch(
            stream, new(x.Rows, Block), At(x), At(call.Bias), At(call.GroupRows), At(call.Weights), call.Groups, x.Columns);
    }

    /// <inheritdoc cref="IKernels.GroupedBiasBackward"/>
    public void Backward(CudaStream stream, in GroupedBiasBackwardArguments call)
    {
        var dx = call.Gradient;
        var (type, columns) = (dx.Type, dx.Columns);
        if (call.GradBias is { } db)
        {
            var function = db.Type == type ? sum[type, columns] : wideSum[IsAligned(type, columns)];
            var grid = new Extent((int)Up(columns, Strip), call.Groups);
            function.Launch(
                stream, new(grid, Block, 0), At(dx), At(call.GroupRows), At(call.Weights), At(db), columns, call.Scale,
                call.Accumulate ? 1 : 0);
        }

        if (call.GradWeights != 0)
        {
            weights[type, columns].Launch(
                stream, new(dx.Rows, Block), At(dx), At(call.Bias), At(call.GroupRows), At(call.GradWeights), call.Groups, columns,
                call.Scale);
        }
    }
}
