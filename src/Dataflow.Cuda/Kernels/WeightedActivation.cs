using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/weighted_activation.cu.</summary>
internal sealed class WeightedActivation(KernelLibrary library)
{
    private readonly ActivationFunctions gated = new(library, "weighted_activation", a => "weighted_" + GatedActivation.UnitOf(a));
    private readonly ActivationFunctions ungated = new(library, "weighted_activation", a => "weighted_" + UngatedActivation.NameOf(a));

    /// <inheritdoc cref="IKernels.WeightedActivationForward"/>
    public void Forward(CudaStream stream, in WeightedActivationForwardArguments call)
    {
        var ffn = call.Ffn;
        (call.Gated ? gated : ungated)[call.Activation]
            .Forward[ffn.Type, ffn.Columns]
            .Launch(stream, new(ffn.Rows, 256), At(call.GateUp), At(call.Weights), At(ffn), ffn.Columns);
    }

    /// <inheritdoc cref="IKernels.WeightedActivationBackward"/>
    public void Backward(CudaStream stream, in WeightedActivationBackwardArguments call)
    {
        var dffn = call.GradFfn;
        (call.Gated ? gated : ungated)[call.Activation]
            .Backward[dffn.Type, dffn.Columns]
            .Launch(stream, new(dffn.Rows, 256), At(dffn), At(call.GateUp), At(call.Weights), At(call.GradWeights), dffn.Columns);
    }
}
