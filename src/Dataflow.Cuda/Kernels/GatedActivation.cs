using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/gated_activation.cu.</summary>
internal sealed class GatedActivation(KernelLibrary library)
{
    private readonly ActivationFunctions functions = new(library, "gated_activation", UnitOf);

    /// <inheritdoc cref="IKernels.GatedActivationForward"/>
    public void Forward(CudaStream stream, Activation activation, Tensor gateUp, Tensor ffn) =>
        functions[activation].Forward[ffn.Type, ffn.Columns].Launch(stream, Shape(ffn), At(gateUp), At(ffn), ffn.Columns);

    /// <inheritdoc cref="IKernels.GatedActivationBackward"/>
    public void Backward(CudaStream stream, Activation activation, Tensor dffn, Tensor gateUp) =>
        functions[activation].Backward[dffn.Type, dffn.Columns].Launch(stream, Shape(dffn), At(dffn), At(gateUp), dffn.Columns);

    private static LaunchShape Shape(Tensor ffn) =>
        new(checked((int)(ffn.Rows * Up(ffn.Columns, PackOf(ffn.Type, ffn.Columns) * 512L))), 256);

    internal static string UnitOf(Activation activation) =>
        activation switch
        {
            Activation.Silu => "swi_glu",
            Activation.Gelu => "ge_glu",
            Activation.GeluTanh => "ge_glu_tanh",
            Activation.Relu => "re_glu",
            Activation.SquaredRelu => "squared_re_glu",
            _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "no gated unit has it"),
        };
}
