using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/input_gate.cu.</summary>
internal sealed class InputGate(KernelLibrary library)
{
    private const int Block = 256;

    private readonly Dictionary<Activation, (TypedFunction Forward, TypedFunction Backward)> functions = [];

    /// <inheritdoc cref="IKernels.InputGateForward"/>
    public void Forward(CudaStream stream, in InputGateForwardArguments call) =>
        Of(call.Activation)
            .Forward[call.Y.Type]
            .Launch(
                stream, Shape(call.Y), At(call.Gate), At(call.Input), At(call.Y), call.Y.Rows, call.Y.Columns, call.Input.Stride);

    /// <inheritdoc cref="IKernels.InputGateBackward"/>
    public void Backward(CudaStream stream, in InputGateBackwardArguments call) =>
        Of(call.Activation)
            .Backward[call.Gate.Type]
            .Launch(
                stream, Shape(call.Gate), At(call.Gradient), At(call.Gate), At(call.Input), At(call.GradInput), call.Gate.Rows,
                call.Gate.Columns, call.Input.Stride);

    private static LaunchShape Shape(Tensor of) => new(checked((int)Up((long)of.Rows * of.Columns, Block)), Block);

    private (TypedFunction Forward, TypedFunction Backward) Of(Activation activation)
    {
        if (!functions.TryGetValue(activation, out var known))
        {
            string name = "input_gate_" + GatedActivation.UnitOf(activation);
            known = (library.Typed("input_gate", name + "_forward"), library.Typed("input_gate", name + "_backward"));
            functions[activation] = known;
        }

        return known;
    }
}
