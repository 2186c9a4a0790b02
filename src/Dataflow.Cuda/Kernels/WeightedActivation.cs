using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/weighted_activation.cu.</summary>
internal sealed class WeightedActivation(KernelLibrary library)
{
    private const string File = "weighted_activation";

    private readonly ActivationFunctions gated = new(library, File, a => "weighted_" + GatedActivation.UnitOf(a));
    private readonly ActivationFunctions ungated = new(library, File, a => "weighted_" + UngatedActivation.NameOf(a));
    private readonly ActivationPair clamped =
        new(library.Rows(File, "weighted_clamped_forward"), library.Rows(File, "weighted_clamped_backward"));

    /// <inheritdoc cref="IKernels.WeightedActivationForward"/>
    public void Forward(CudaStream stream, in WeightedActivationForwardArguments call)
    {
        var ffn = call.Ffn;
        Of(call.Activation, call.Gated, call.Limit)
            .Forward[ffn.Type, ffn.Columns]
            .Launch(stream, new(ffn.Rows, 256), At(call.GateUp), At(call.Weights), At(ffn), ffn.Columns, call.Limit ?? 0);
    }

    /// <inheritdoc cref="IKernels.WeightedActivationBackward"/>
    public void Backward(CudaStream stream, in WeightedActivationBackwardArguments call)
    {
        var dffn = call.GradFfn;
        Of(call.Activation, call.Gated, call.Limit)
            .Backward[dffn.Type, dffn.Columns]
            .Launch(
                stream, new(dffn.Rows, 256), At(dffn), At(call.GateUp), At(call.Weights), At(call.GradWeights), dffn.Columns,
                call.Limit ?? 0);
    }

    private ActivationPair Of(Activation activation, bool hasGate, float? limit) =>
        limit is null ? (hasGate ? gated : ungated)[activation] : clamped;
}
