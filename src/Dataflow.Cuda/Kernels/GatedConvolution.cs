using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/gated_convolution.cu.</summary>
internal sealed class GatedConvolution(KernelLibrary library, ColumnSum columnSum)
{
    private const int Block = 128;

    private readonly TypedFunction forward = library.Typed("gated_convolution", "gated_convolution_forward");
    private readonly TypedFunction backward = library.Typed("gated_convolution", "gated_convolution_backward");

    /// <inheritdoc cref="IKernels.GatedConvolutionForward"/>
    public void Forward(CudaStream stream, in GatedConvolutionForwardArguments call)
    {
        long rest = call.After is { } after ? (call.AfterBytes - after.Bytes) / after.Type.Size() : 0;
        int rows = call.IsInPlace ? call.X.Rows : KernelWorkspace.ConvolutionGroupRows(call.X.Rows); // one block of threads for a column
        forward[call.X.Type]
            .Launch(
                stream,
                Shape(call.X.Rows, call.Taps.Rows, rows),
                At(call.X),
                At(call.Taps),
                At(call.At.FirstKey),
                At(call.Before),
                At(call.Y),
                At(call.After),
                checked((int)rest),
                call.At.Row,
                call.X.Rows,
                call.Taps.Rows,
                call.Taps.Columns,
                rows
            );
    }

    /// <inheritdoc cref="IKernels.GatedConvolutionBackward"/>
    public void Backward(CudaStream stream, in GatedConvolutionBackwardArguments call)
    {
        if (!call.Accumulate)
        {
            stream.Fill(new DevicePointer(call.GradStates.Address), 0, new Bytes(call.GradStates.Bytes));
        }

        var shape = Shape(call.X.Rows, call.Taps.Rows);
        backward[call.X.Type]
            .Launch(
                stream,
                shape,
                At(call.X),
                At(call.Taps),
                At(call.At.FirstKey),
                At(call.Before),
                At(call.GradY),
                At(call.GradAfter),
                At(call.GradBefore),
                At(call.GradX),
                At(call.GradTaps is null ? 0 : call.Workspace),
                call.At.Row,
                call.X.Rows,
                call.Taps.Rows,
                call.Taps.Columns,
                KernelWorkspace.ConvolutionGroupRows(call.X.Rows)
            );
        if (call.GradTaps is { } taps)
        {
            var row = taps with { Rows = 1, Columns = taps.Rows * taps.Columns };
            columnSum.Run(stream, call.Workspace, shape.Grid.Y, row, call.AccumulateTaps);
        }
    }

    /// <summary>A thread for each column of a group of tokens.</summary>
    public static LaunchShape Shape(int rows, int columns) => Shape(rows, columns, KernelWorkspace.ConvolutionGroupRows(rows));

    /// <summary>The same with groups of so many tokens.</summary>
    public static LaunchShape Shape(int rows, int columns, int group) =>
        new(new Extent((int)Up(columns, Block), (int)Up(rows, group)), Block);
}
