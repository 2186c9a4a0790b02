using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/gated_activation.cu.</summary>
internal sealed class GatedActivation(KernelLibrary library)
{
    private readonly Functions silu = new(library, "swi_glu");

    /// <inheritdoc cref="IKernels.GatedActivationForward"/>
    public void Forward(CudaStream stream, Activation activation, Tensor gateUp, Tensor ffn) =>
        Of(activation).Forward[ffn.Type].Launch(stream, Shape(ffn), At(gateUp), At(ffn), ffn.Columns);

    /// <inheritdoc cref="IKernels.GatedActivationBackward"/>
    public void Backward(CudaStream stream, Activation activation, Tensor dffn, Tensor gateUp) =>
        Of(activation).Backward[dffn.Type].Launch(stream, Shape(dffn), At(dffn), At(gateUp), dffn.Columns);

    private static LaunchShape Shape(Tensor ffn) => new(checked((int)(ffn.Rows * Up(ffn.Columns, PackOf(ffn.Type) * 512L))), 256);

    private Functions Of(Activation activation) =>
        activation switch
        {
            Activation.Silu => silu,
            _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "no gated unit has it"),
        };

    /// <summary>The entry points of one activation.</summary>
    private sealed class Functions(KernelLibrary library, string unit)
    {
        public TypedFunction Forward { get; } = library.Typed("gated_activation", unit + "_forward");

        public TypedFunction Backward { get; } = library.Typed("gated_activation", unit + "_backward");
    }
}
