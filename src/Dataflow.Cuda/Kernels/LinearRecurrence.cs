using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/linear_recurrence.cu.</summary>
internal sealed class LinearRecurrence(KernelLibrary library, ColumnSum columnSum)
{
    private const int Block = 256;
    private const int TokensOfBlock = 4;

    private readonly TypedFunction forward = library.Typed("linear_recurrence", "linear_recurrence_forward");
    private readonly TypedFunction backward = library.Typed("linear_recurrence_backward", "linear_recurrence_backward");
    private readonly TypedFunction gradients = library.Typed("linear_recurrence", "linear_recurrence_gradients");

    /// <inheritdoc cref="IKernels.LinearRecurrenceForward"/>
    public void Forward(CudaStream stream, in LinearRecurrenceForwardArguments call)
    {
        var of = call.Shape;
        forward[call.Gates.Type]
            .Launch(
                stream,
                Shape(of),
                At(call.Channels),
                At(call.Gates),
                At(call.Decay),
                At(call.StepBias),
                At(call.Skip),
                At(call.At.FirstKey),
                At(call.Before),
                At(call.After),
                At(call.Y),
                At(call.Workspace),
                call.Gates.Stride,
                of.KeyHeads,
                of.Heads,
                of.KeyDim,
                of.ValueDim,
                KernelWorkspace.RecurrenceColumns(of),
                call.At.Row,
                call.Channels.Rows,
                of.Correction,
                of.LeastStep,
                of.MostStep ?? float.PositiveInfinity
            );
    }

    /// <inheritdoc cref="IKernels.LinearRecurrenceBackward"/>
    public void Backward(CudaStream stream, in LinearRecurrenceBackwardArguments call)
    {
        if (!call.Accumulate)
        {
            stream.Fill(new DevicePointer(call.GradStates.Address), 0, new Bytes(call.GradStates.Bytes));
        }

        var (of, rows) = (call.Shape, call.Channels.Rows);
        int columns = KernelWorkspace.RecurrenceColumns(of);
        nuint sums = call.Workspace + (nuint)KernelWorkspace.RecurrenceKept(rows, of).Value;
        nuint vectors = sums + (nuint)KernelWorkspace.RecurrenceTokens(rows, of).Value;
        backward[call.Gates.Type]
            .Launch(
                stream,
                Shape(of),
                At(call.Channels),
                At(call.Gates),
                At(call.Decay),
                At(call.StepBias),
                At(call.Skip),
                At(call.At.FirstKey),
                At(call.Before),
                At(call.GradY),
                At(call.GradAfter),
                At(call.GradBefore),
                At(call.GradChannels),
                At(call.Workspace),
                At(sums),
                call.Gates.Stride,
                of.KeyHeads,
                of.Heads,
                of.KeyDim,
                of.ValueDim,
                columns,
                call.At.Row,
                rows,
                of.Correction,
                of.LeastStep,
                of.MostStep ?? float.PositiveInfinity
            );
        gradients[call.Gates.Type]
            .Launch(
                stream,
                new(checked((int)Up((long)rows * of.KeyHeads, TokensOfBlock)), TokensOfBlock * Warp),
                At(call.Channels),
                At(call.Gates),
                At(call.Decay),
                At(call.StepBias),
                At(sums),
                At(call.GradChannels),
                At(call.GradGates),
                At(vectors),
                call.Gates.Stride,
                call.GradGates.Stride,
                of.KeyHeads,
                of.Heads,
                of.KeyDim,
                of.ValueDim,
                columns,
                rows,
                of.Correction,
                of.LeastStep,
                of.MostStep ?? float.PositiveInfinity
            );
        Sum(stream, call, vectors, 0, call.GradDecay);
        Sum(stream, call, vectors, 1, call.GradStepBias);
        Sum(stream, call, vectors, 2, call.GradSkip);
    }

    private void Sum(CudaStream stream, in LinearRecurrenceBackwardArguments call, nuint vectors, int index, Tensor? result)
    {
        if (result is { } sum)
        {
            int rows = call.Channels.Rows;
            nuint terms = KernelAccesses.Statistic(vectors, index, rows * call.Shape.Heads);
            columnSum.Run(stream, terms, rows, sum, call.AccumulateVectors);
        }
    }

    private static LaunchShape Shape(Recurrence of) =>
        new(new Extent(of.Heads, (int)Up(of.ValueDim, KernelWorkspace.RecurrenceColumns(of))), Block);
}
