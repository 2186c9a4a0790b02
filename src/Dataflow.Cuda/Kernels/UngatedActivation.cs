using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/ungated_activation.cu.</summary>
internal sealed class UngatedActivation(KernelLibrary library)
{
    private readonly ActivationFunctions functions = new(library, "ungated_activation", NameOf);

    /// <inheritdoc cref="IKernels.UngatedActivationForward"/>
    public void Forward(CudaStream stream, Activation activation, Tensor up, Tensor ffn) =>
        functions[activation].Forward[ffn.Type, ffn.Columns].Launch(stream, Shape(ffn), At(up), At(ffn), ffn.Columns);

    /// <inheritdoc cref="IKernels.UngatedActivationBackward"/>
    public void Backward(CudaStream stream, Activation activation, Tensor dffn, Tensor up) =>
        functions[activation].Backward[dffn.Type, dffn.Columns].Launch(stream, Shape(dffn), At(dffn), At(up), dffn.Columns);

    private static LaunchShape Shape(Tensor ffn) =>
        new(checked((int)(ffn.Rows * Launches.Up(ffn.Columns, PackOf(ffn.Type, ffn.Columns) * 512L))), 256);

    /// <summary>What kernels of an activation without a gate are named by.</summary>
    public static string NameOf(Activation activation) =>
        activation switch
        {
            Activation.Silu => "silu",
            Activation.Gelu => "gelu",
            Activation.GeluTanh => "gelu_tanh",
            Activation.Relu => "relu",
            Activation.SquaredRelu => "squared_relu",
            _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "no kernel has it"),
        };
}
