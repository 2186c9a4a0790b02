namespace Dataflow.Model;

/// <summary>ffn = activation(up): a feed-forward network of two matrices.</summary>
public sealed record UngatedActivationForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.UngatedActivationForward;

    /// <summary>Of each element.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, F].</summary>
    public required Operand Up { get; init; }

    /// <summary>[T, F].</summary>
    public required Operand Ffn { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Up);
        all.Write(Ffn);
    }
}

/// <summary>In place: the gradient of ffn becomes ffn, up becomes its gradient.</summary>
public sealed record UngatedActivationBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.UngatedActivationBackward;

    /// <summary>Of each element.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, F].</summary>
    public required Operand GradFfn { get; init; }

    /// <summary>[T, F].</summary>
    public required Operand Up { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all) => all.Update(GradFfn, Up);
}
