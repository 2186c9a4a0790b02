namespace Dataflow.Model;

/// <summary>
/// y = w x rstd silu(z), rstd of each head's part of a row alone, with one w for all heads; or, by groups, y = w u rstd of u = x silu(z),
/// rstd of each group's part of a row.
/// </summary>
public sealed record GatedNormForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GatedNormForward;

    /// <summary>[T, heads x width].</summary>
    public required Operand X { get; init; }

    /// <summary>z, of the same shape.</summary>
    public required Operand Gate { get; init; }

    /// <summary>So many groups of columns are gated before they are normed; null: heads are normed and then gated.</summary>
    public int? Groups { get; init; }

    /// <summary>Added to the mean square; null: what the model's other norms have.</summary>
    public float? Epsilon { get; init; }

    /// <summary>[width], or by groups [all columns].</summary>
    public required Operand Weight { get; init; }

    /// <summary>[T, heads x width].</summary>
    public required Operand Y { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(X, Gate, Weight);
        all.Write(Y);
    }
}

/// <summary>The gradient of x in place of y's, z's, and dw (+)= its gradient.</summary>
public sealed record GatedNormBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GatedNormBackward;

    /// <summary>[T, heads x width]: of y; becomes that of x.</summary>
    public required Operand Gradient { get; init; }

    /// <summary>[T, heads x width].</summary>
    public required Operand X { get; init; }

    /// <summary>z, of the same shape.</summary>
    public required Operand Gate { get; init; }

    /// <summary>So many groups of columns are gated before they are normed; null: heads are normed and then gated.</summary>
    public int? Groups { get; init; }

    /// <summary>Added to the mean square; null: what the model's other norms have.</summary>
    public float? Epsilon { get; init; }

    /// <summary>[width], or by groups [all columns].</summary>
    public required Operand Weight { get; init; }

    /// <summary>[T, heads x width].</summary>
    public required Operand GradGate { get; init; }

    /// <summary>[width]; null where it is frozen.</summary>
    public required Operand? GradWeight { get; init; }

    /// <summary>Sums of groups of tokens.</summary>
    public required Operand Workspace { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(X, Gate, Weight);
        all.Write(GradGate, Workspace);
        all.Update(Gradient, GradWeight);
    }
}
