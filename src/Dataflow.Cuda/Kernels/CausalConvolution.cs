using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/causal_convolution.cu.</summary>
internal sealed class CausalConvolution(KernelLibrary library, ColumnSum columnSum)
{
    private readonly TypedFunction forward = library.Typed("causal_convolution", "causal_convolution_forward");
    private readonly TypedFunction backward = library.Typed("causal_convolution", "causal_convolution_backward");

    /// <inheritdoc cref="IKernels.CausalConvolutionForward"/>
    public void Forward(CudaStream stream, in CausalConvolutionForwardArguments call)
    {
        long rest = call.After is { } after ? (call.AfterBytes - after.Bytes) / after.Type.Size() : 0;
        int rows = call.IsInPlace ? call.X.Rows : KernelWorkspace.ConvolutionGroupRows(call.X.Rows); // one block of threads for a column
        forward[call.X.Type]
            .Launch(
                stream,
                GatedConvolution.Shape(call.X.Rows, call.Taps.Rows, rows),
                At(call.X),
                At(call.Taps),
                At(call.Bias),
                At(call.At.FirstKey),
                At(call.Before),
                At(call.Y),
                At(call.After),
                checked((int)rest),
                call.At.Row,
                call.X.Rows,
                call.Taps.Rows,
                call.Taps.Columns,
                call.X.Stride,
                rows
            );
    }

    /// <inheritdoc cref="IKernels.CausalConvolutionBackward"/>
    public void Backward(CudaStream stream, in CausalConvolutionBackwardArguments call)
    {
        var shape = GatedConvolution.Shape(call.X.Rows, call.Taps.Rows);
        nuint biasSums = KernelAccesses.Statistic(call.Workspace, shape.Grid.Y, call.Taps.Rows * call.Taps.Columns);
        backward[call.X.Type]
            .Launch(
                stream,
                shape,
                At(call.X),
                At(call.Taps),
                At(call.Bias),
                At(call.At.FirstKey),
                At(call.Before),
                At(call.GradY),
                At(call.GradAfter),
                At(call.GradBefore),
                At(call.GradX),
                At(call.GradTaps is null ? 0 : call.Workspace),
                At(call.GradBias is null ? 0 : biasSums),
                call.At.Row,
                call.X.Rows,
                call.Taps.Rows,
                call.Taps.Columns,
                call.X.Stride,
                call.GradX.Stride,
                KernelWorkspace.ConvolutionGroupRows(call.X.Rows)
            );
        if (call.GradTaps is { } taps)
        {
            var row = taps with { Rows = 1, Columns = taps.Rows * taps.Columns };
            columnSum.Run(stream, call.Workspace, shape.Grid.Y, row, call.AccumulateTaps);
        }

        if (call.GradBias is { } bias)
        {
            columnSum.Run(stream, biasSums, shape.Grid.Y, bias, call.AccumulateTaps);
        }
    }
}
