namespace Dataflow.Model;

/// <summary>y = addend + x rstd (offset + w).</summary>
public sealed record RmsNormForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.RmsNormForward;

    /// <summary>[T, D].</summary>
    public required Operand X { get; init; }

    /// <summary>[D].</summary>
    public required Operand Weight { get; init; }

    /// <summary>Added to the weight: 1 where checkpoints hold what a weight differs from one by, as Gemma's.</summary>
    public float WeightOffset { get; init; }

    /// <summary>Added to the mean square; null: what the model's norms add.</summary>
    public float? Epsilon { get; init; }

    /// <summary>
    /// [T, D], what a norm behind a branch is added to; may be <see cref="Y"/> itself; null adds nothing. Its gradient is that of y.
    /// </summary>
    public Operand? Addend { get; init; }

    /// <summary>[T, D].</summary>
    public required Operand Y { get; init; }

    /// <summary>[T] fp32.</summary>
    public required Operand Rstd { get; init; }

    /// <summary>A block's output is not where it is recomputed: only the roots are wanted then.</summary>
    public override KernelCall Only(Func<Operand, bool> wanted) =>
        Y.Tensor == TensorName.Output && !wanted(Y) ? this with { Y = TensorName.Unused, Addend = null } : this;

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        bool inPlace = Addend == Y;
        all.Read(X, Weight, inPlace ? null : Addend);
        all.Write(inPlace ? null : Y, Rstd);
        all.Update(inPlace ? Y : null);
    }
}

/// <summary>dx, to which it adds or which it overwrites, in place of dy if that is its operand, and dw (+)= its gradient.</summary>
public sealed record RmsNormBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.RmsNormBackward;

    /// <summary>[T, D].</summary>
    public required Operand GradY { get; init; }

    /// <summary>[T, D].</summary>
    public required Operand X { get; init; }

    /// <summary>[T] fp32, of the forward.</summary>
    public required Operand Rstd { get; init; }

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

    /// <summary>Sums of blocks of tokens.</summary>
    public required Operand Workspace { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        bool inPlace = GradX == GradY;
        all.Read(inPlace ? null : GradY, X, Rstd, Weight);
        all.Write(Workspace, Adds || inPlace ? null : GradX);
        all.Update(Adds || inPlace ? GradX : null, GradWeight);
    }
}
