using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/expert_scale.cu.</summary>
internal sealed class ExpertScale(KernelLibrary library, ColumnSum columnSum)
{
    private const int Block = 256;

    private readonly TypedFunction forward = library.Typed("expert_scale", "expert_scale_forward");
    private readonly TypedFunction backward = library.Typed("expert_scale", "expert_scale_backward");

    /// <inheritdoc cref="IKernels.ExpertScaleForward"/>
    public void Forward(CudaStream stream, in ExpertScaleForwardArguments call) =>
        forward[call.Factors.Type]
            .Launch(
                stream, new LaunchShape(call.Factors.Columns, Block), At(call.Weights), At(call.ExpertRows), At(call.Factors),
                At(call.Scaled));

    /// <inheritdoc cref="IKernels.ExpertScaleBackward"/>
    public void Backward(CudaStream stream, in ExpertScaleBackwardArguments call)
    {
        backward[call.Factors.Type]
            .Launch(
                stream, new LaunchShape(call.Factors.Columns, Block), At(call.Gradient), At(call.Weights), At(call.ExpertRows),
                At(call.Factors), At(call.Workspace));
        if (call.GradFactors is { } gradient)
        {
            columnSum.Run(stream, call.Workspace, 1, gradient, call.Accumulate);
        }
    }
}
