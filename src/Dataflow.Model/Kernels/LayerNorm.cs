namespace Dataflow.Model;

/// <summary>y = addend + (x - mean) rstd (offset + w) + b.</summary>
public sealed record LayerNormForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.LayerNormForward;

    /// <summary>[T, D].</summary>
    public required Operand X { get; init; }

    /// <summary>[D].</summary>
    public required Operand Weight { get; init; }

    /// <summary>Added to the weight: 1 where checkpoints hold what a weight differs from one by, as Nemotron's.</summary>
    public float WeightOffset { get; init; }

    /// <summary>[D]; null adds nothing.</summary>
    public required Operand? Bias { get; init; }

    /// <summary>
    /// [T, D], what a norm behind a branch is added to; may be <see cref="Y"/> itself; null adds nothing. Its gradient is that of y.
    /// </summary>
    public Operand? Addend { get; init; }

    /// <summary>[T, D].</summary>
    public required Operand Y { get; init; }

    /// <summary>[T, 2] fp32: mean, then rstd, of each token.</summary>
    public required Operand Statistics { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        bool inPlace = Addend == Y;
        all.Read(X, Weight, Bias, inPlace ? null : Addend);
        all.Write(inPlace ? null : Y, Statistics);
        all.Update(inPlace ? Y : null);
    }
}

/// <summary>dx, to which it adds or which it overwrites, and dw and db (+)= their gradients.</summary>
public sealed record LayerNormBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.LayerNormBackward;

    /// <summary>[T, D].</summary>
    public required Operand GradY { get; init; }

    /// <summary>[T, D].</summary>
    public required Operand X { get; init; }

    /// <summary>[T, 2] fp32, of the forward.</summary>
    public required Operand Statistics { get; init; }

    /// <summary>[D].</summary>
    public required Operand Weight { get; init; }

    /// <summary>As the forward's.</summary>
    public float WeightOffset { get; init; }

    /// <summary>[T, D].</summary>
    public required Operand GradX { get; init; }

    /// <summary>Whether the gradient is added to what <see cref="GradX"/> holds.</summary>
    public required bool Adds { get; init; }

    /// <summary>[D]; null where the weight is frozen.</summary>
    public required Operand? GradWeight { get; init; }

    /// <summary>[D]; null where there is no bias or it is frozen.</summary>
    public required Operand? GradBias { get; init; }

    /// <summary>Sums of blocks of tokens.</summary>
    public required Operand Workspace { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(GradY, X, Statistics, Weight);
        all.Write(Workspace, Adds ? null : GradX);
        all.Update(Adds ? GradX : null, GradWeight, GradBias);
    }
}
