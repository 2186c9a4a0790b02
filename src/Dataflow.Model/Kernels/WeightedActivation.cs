namespace Dataflow.Model;

/// <summary>ffn = w activation(gate) up, or w activation(up) without a gate, with a weight for each row.</summary>
public sealed record WeightedActivationForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.WeightedActivationForward;

    /// <summary>Of the gate, or of up where there is none.</summary>
    public required Activation Activation { get; init; }

    /// <summary>There is a gate.</summary>
    public bool Gated { get; init; } = true;

    /// <summary>Clamped units of that limit (<see cref="ModelConfig.UnitLimit"/>), whatever the activation; null: plain ones.</summary>
    public float? Limit { get; init; }

    /// <summary>[R, 2 F]: gate, then up; [R, F] without a gate.</summary>
    public required Operand GateUp { get; init; }

    /// <summary>[R] fp32.</summary>
    public required Operand Weights { get; init; }

    /// <summary>[R, F].</summary>
    public required Operand Ffn { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(GateUp, Weights);
        all.Write(Ffn);
    }
}

/// <summary>In place: the gradient of ffn becomes ffn, gate and up become their gradients; and the gradient of the weights.</summary>
public sealed record WeightedActivationBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.WeightedActivationBackward;

    /// <summary>Of the gate, or of up where there is none.</summary>
    public required Activation Activation { get; init; }

    /// <summary>There is a gate.</summary>
    public bool Gated { get; init; } = true;

    /// <summary>As the forward's.</summary>
    public float? Limit { get; init; }

    /// <summary>[R, F].</summary>
    public required Operand GradFfn { get; init; }

    /// <summary>[R, 2 F], or [R, F].</summary>
    public required Operand GateUp { get; init; }

    /// <summary>[R] fp32.</summary>
    public required Operand Weights { get; init; }

    /// <summary>[R] fp32.</summary>
    public required Operand GradWeights { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Weights);
        all.Write(GradWeights);
        all.Update(GradFfn, GateUp);
    }
}
