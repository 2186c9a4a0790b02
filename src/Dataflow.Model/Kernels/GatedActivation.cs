namespace Dataflow.Model;

/// <summary>ffn = activation(gate) up.</summary>
public sealed record GatedActivationForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GatedActivationForward;

    /// <summary>Of the gate.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, 2 F]: gate, then up.</summary>
    public required Operand GateUp { get; init; }

    /// <summary>[T, F].</summary>
    public required Operand Ffn { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(GateUp);
        all.Write(Ffn);
    }
}

/// <summary>In place: the gradient of ffn becomes ffn, gate and up become their gradients.</summary>
public sealed record GatedActivationBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GatedActivationBackward;

    /// <summary>Of the gate.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, F].</summary>
    public required Operand GradFfn { get; init; }

    /// <summary>[T, 2 F].</summary>
    public required Operand GateUp { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all) => all.Update(GradFfn, GateUp);
}
