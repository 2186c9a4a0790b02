using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>ffn = activation(gate) up.</summary>
public readonly record struct GatedActivationForwardArguments : IKernelArguments
{
    /// <summary>Of the gate.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, 2 F]: gate, then up.</summary>
    public required Tensor GateUp { get; init; }

    /// <summary>[T, F].</summary>
    public required Tensor Ffn { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static GatedActivationForwardArguments Of(GatedActivationForwardCall call, in OpOperands at) =>
        new()
        {
            Activation = call.Activation,
            GateUp = at.Tensor(call.GateUp),
            Ffn = at.Tensor(call.Ffn),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.GatedActivationForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(GateUp);
        accesses.Write(Ffn);
    }
}

/// <summary>In place: dffn becomes ffn, gate and up become their gradients.</summary>
public readonly record struct GatedActivationBackwardArguments : IKernelArguments
{
    /// <summary>Of the gate.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, F], becomes ffn.</summary>
    public required Tensor GradFfn { get; init; }

    /// <summary>[T, 2 F], becomes its gradient.</summary>
    public required Tensor GateUp { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static GatedActivationBackwardArguments Of(GatedActivationBackwardCall call, in OpOperands at) =>
        new()
        {
            Activation = call.Activation,
            GradFfn = at.Tensor(call.GradFfn),
            GateUp = at.Tensor(call.GateUp),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.GatedActivationBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(GradFfn);
        accesses.Update(GateUp);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="GatedActivationForwardArguments"/>
    void GatedActivationForward(in GatedActivationForwardArguments call);

    /// <inheritdoc cref="GatedActivationBackwardArguments"/>
    void GatedActivationBackward(in GatedActivationBackwardArguments call);
}
