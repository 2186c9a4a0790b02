using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/gated_norm.cu.</summary>
internal sealed class GatedNorm(KernelLibrary library, ColumnSum columnSum)
{
    private const int Block = 128;

    private readonly TypedFunction forward = library.Typed("gated_norm", "gated_norm_forward");
    private readonly TypedFunction backward = library.Typed("gated_norm", "gated_norm_backward");
    private readonly TypedFunction groupForward = library.Typed("gated_norm", "gated_group_norm_forward");
    private readonly TypedFunction groupBackward = library.Typed("gated_norm", "gated_group_norm_backward");

    /// <inheritdoc cref="IKernels.GatedNormForward"/>
    public void Forward(CudaStream stream, in GatedNormForwardArguments call) =>
        (call.Groups is null ? forward : groupForward)[call.Gate.Type]
            .Launch(
                stream,
                Shape(call.X.Rows),
                At(call.X),
                At(call.Gate),
                At(call.Weight),
                At(call.Y),
                call.Epsilon,
                call.X.Rows,
                call.Groups ?? (call.X.Columns / call.Weight.Columns),
                call.Groups is { } groups ? call.X.Columns / groups : call.Weight.Columns,
                call.Gate.Stride,
                KernelWorkspace.GatedNormGroupRows(call.X.Rows)
            );

    /// <inheritdoc cref="IKernels.GatedNormBackward"/>
    public void Backward(CudaStream stream, in GatedNormBackwardArguments call)
    {
        var shape = Shape(call.X.Rows);
        (call.Groups is null ? backward : groupBackward)[call.Gate.Type]
            .Launch(
                stream,
                shape,
                At(call.Gradient),
                At(call.X),
                At(call.Gate),
                At(call.Weight),
                At(call.GradGate),
                At(call.GradWeight is null ? 0 : call.Workspace),
                call.Epsilon,
                call.X.Rows,
                call.Groups ?? (call.X.Columns / call.Weight.Columns),
                call.Groups is { } groups ? call.X.Columns / groups : call.Weight.Columns,
                call.Gate.Stride,
                call.GradGate.Stride,
                KernelWorkspace.GatedNormGroupRows(call.X.Rows)
            );
        if (call.GradWeight is { } weight)
        {
            columnSum.Run(stream, call.Workspace, shape.Grid.X, weight, call.Accumulate);
        }
    }

    private static LaunchShape Shape(int rows) => new((int)Up(rows, KernelWorkspace.GatedNormGroupRows(rows)), Block);
}
