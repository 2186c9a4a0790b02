using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/output_gate.cu.</summary>
internal sealed class OutputGate(KernelLibrary library)
{
    private const int Block = 256;

    private readonly TypedFunction forward = library.Typed("output_gate", "output_gate_forward");
    private readonly TypedFunction backward = library.Typed("output_gate", "output_gate_backward");

    /// <inheritdoc cref="IKernels.OutputGateForward"/>
    public void Forward(CudaStream stream, in OutputGateForwardArguments call) =>
        forward[call.X.Type].Launch(stream, Shape(call.X), At(call.X), At(call.Gate), At(call.Y), Count(call.X));

    /// <inheritdoc cref="IKernels.OutputGateBackward"/>
    public void Backward(CudaStream stream, in OutputGateBackwardArguments call) =>
        backward[call.X.Type]
            .Launch(stream, Shape(call.X), At(call.Gradient), At(call.X), At(call.Gate), At(call.GradGate), Count(call.X));

    private static long Count(Tensor x) => (long)x.Rows * x.Columns;

    private static LaunchShape Shape(Tensor x) => new(checked((int)Up(Count(x), Block)), Block);
}
