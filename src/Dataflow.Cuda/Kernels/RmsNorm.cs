using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/rms_norm.cu, whose head says why launches have these shapes.</summary>
internal sealed class RmsNorm(KernelLibrary library, ColumnSum columnSum)
{
    private readonly RowFunction forward = library.Rows("rms_norm", "rms_norm_forward");
    private readonly AlignedFunction backwardWide = library.AnyRows("rms_norm", "rms_norm_backward_bf16_f32");
    private readonly RowFunction backward = library.Rows("rms_norm", "rms_norm_backward");

    /// <inheritdoc cref="IKernels.RmsNormForward"/>
    public void Forward(CudaStream stream, in RmsNormForwardArguments call)
    {
        int block = Threads(Up(call.X.Columns, PackOf(call.X.Type, call.X.Columns) * 4L), 64, 512);
        forward[call.X.Type, call.X.Columns]
            .Launch(
                stream,
                new(call.X.Rows, block),
                At(call.X),
                At(call.Weight),
                At(call.Addend),
                At(call.Y),
                At(call.Rstd),
                call.WeightOffset,
                call.Epsilon,
                call.X.Columns
            );
    }

    /// <inheritdoc cref="IKernels.RmsNormBackward"/>
    public void Backward(CudaStream stream, in RmsNormBackwardArguments call)
    {
        int rows = Model.KernelWorkspace.RmsNormGroupRows(call.X.Rows, call.X.Columns);
        int groups = (int)Up(call.X.Rows, rows);
        int block = Threads(Up(call.X.Columns, PackOf(call.X.Type, call.X.Columns) * 2L), 64, 768);
        var function =
            call.GradY.Type == call.X.Type
                ? backward[call.X.Type, call.X.Columns]
                : backwardWide[IsAligned(call.X.Type, call.X.Columns)];
        function.Launch(
            stream,
            new(groups, block),
            At(call.GradY),
            At(call.X),
            At(call.Rstd),
            At(call.Weight),
            At(call.Addend),
            At(call.GradX),
            At(call.Workspace),
            call.WeightOffset,
            call.X.Rows,
            call.X.Columns,
            rows
        );
        if (call.GradWeight is { } gradWeight)
        {
            columnSum.Run(stream, call.Workspace, groups, gradWeight, call.Accumulate);
        }
    }
}
