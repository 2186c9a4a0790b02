using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/swi_glu.cu.</summary>
internal sealed class SwiGlu(KernelLibrary library)
{
    private readonly TypedFunction forward = library.Typed("swi_glu", "swi_glu_forward");
    private readonly TypedFunction backward = library.Typed("swi_glu", "swi_glu_backward");

    /// <inheritdoc cref="IKernels.SwiGluForward"/>
    public void Forward(CudaStream stream, Tensor gateUp, Tensor ffn) =>
        forward[ffn.Type].Launch(stream, Shape(ffn), At(gateUp), At(ffn), ffn.Columns);

    /// <inheritdoc cref="IKernels.SwiGluBackward"/>
    public void Backward(CudaStream stream, Tensor dffn, Tensor gateUp) =>
        backward[dffn.Type].Launch(stream, Shape(dffn), At(dffn), At(gateUp), dffn.Columns);

    private static LaunchShape Shape(Tensor ffn) => new(checked((int)(ffn.Rows * Up(ffn.Columns, PackOf(ffn.Type) * 512L))), 256);
}
