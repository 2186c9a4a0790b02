using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>ffn = w activation(gate) up, or w activation(up) without a gate, with a weight for each row; rounded once.</summary>
public readonly record struct WeightedActivationForwardArguments : IKernelArguments
{
    /// <summary>Of the gate, or of up where there is none.</summary>
    public required Activation Activation { get; init; }

    /// <summary>There is a gate.</summary>
    public required bool Gated { get; init; }

    /// <summary>Of clamped units (<see cref="ModelConfig.UnitLimit"/>); null: they are plain.</summary>
    public float? Limit { get; init; }

    /// <summary>[R, 2 F]: gate, then up; [R, F] without a gate.</summary>
    public required Tensor GateUp { get; init; }

    /// <summary>[R] fp32.</summary>
    public required nuint Weights { get; init; }

    /// <summary>[R, F].</summary>
    public required Tensor Ffn { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static WeightedActivationForwardArguments Of(WeightedActivationForwardCall call, in OpOperands at) =>
        new()
        {
            Activation = call.Activation,
            Gated = call.Gated,
            Limit = call.Limit,
            GateUp = at.Tensor(call.GateUp),
            Weights = at.Pointer(call.Weights),
            Ffn = at.Tensor(call.Ffn),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.WeightedActivationForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(GateUp);
        accesses.Floats(Weights, Ffn.Rows);
        accesses.Write(Ffn);
    }
}

/// <summary>
/// In place: dffn becomes ffn, bit for bit the forward's, gate and up become their gradients; and dw = the sum over columns of dffn
/// activation(gate) up. Without a gate likewise.
/// </summary>
public readonly record struct WeightedActivationBackwardArguments : IKernelArguments
{
    /// <summary>Of the gate, or of up where there is none.</summary>
    public required Activation Activation { get; init; }

    /// <summary>There is a gate.</summary>
    public required bool Gated { get; init; }

    /// <summary>Of clamped units (<see cref="ModelConfig.UnitLimit"/>); null: they are plain.</summary>
    public float? Limit { get; init; }

    /// <summary>[R, F], becomes ffn.</summary>
    public required Tensor GradFfn { get; init; }

    /// <summary>[R, 2 F] or [R, F], becomes its gradient.</summary>
    public required Tensor GateUp { get; init; }

    /// <summary>[R] fp32.</summary>
    public required nuint Weights { get; init; }

    /// <summary>[R] fp32, overwritten.</summary>
    public required nuint GradWeights { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static WeightedActivationBackwardArguments Of(WeightedActivationBackwardCall call, in OpOperands at) =>
        new()
        {
            Activation = call.Activation,
            Gated = call.Gated,
            Limit = call.Limit,
            GradFfn = at.Tensor(call.GradFfn),
            GateUp = at.Tensor(call.GateUp),
            Weights = at.Pointer(call.Weights),
            GradWeights = at.Pointer(call.GradWeights),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.WeightedActivationBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(GradFfn);
        accesses.Update(GateUp);
        accesses.Floats(Weights, GradFfn.Rows);
        accesses.Write(GradWeights, KernelAccesses.Floats(GradFfn.Rows));
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="WeightedActivationForwardArguments"/>
    void WeightedActivationForward(in WeightedActivationForwardArguments call);

    /// <inheritdoc cref="WeightedActivationBackwardArguments"/>
    void WeightedActivationBackward(in WeightedActivationBackwardArguments call);
}
