namespace Dataflow.Model;

/// <summary>What DoRA multiplies rows by: magnitude / ||W + scale B A||, and 1 / ||W + scale B A||, of some rows of a matrix.</summary>
public sealed record DoraScalesCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.DoraScales;

    /// <summary>[rows, in], of the base.</summary>
    public required Operand W { get; init; }

    /// <summary>[rank, in].</summary>
    public required Operand A { get; init; }

    /// <summary>[rows, rank].</summary>
    public required Operand B { get; init; }

    /// <summary>[rows].</summary>
    public required Operand Magnitude { get; init; }

    /// <summary>[2, rows] fp32.</summary>
    public required Operand Scales { get; init; }

    /// <summary>Of B A.</summary>
    public required float Scale { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(W, A, B, Magnitude);
        all.Write(Scales);
    }
}

/// <summary>y = scale (row factor x) + bias + addend, of columns of a product: x itself where there are no factors.</summary>
public sealed record DoraForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.DoraForward;

    /// <summary>[T, rows].</summary>
    public required Operand X { get; init; }

    /// <summary>[2, rows] fp32; null multiplies by 1.</summary>
    public Operand? Scales { get; init; }

    /// <summary>[rows]; null adds nothing.</summary>
    public Operand? Bias { get; init; }

    /// <summary>[T, rows]; null adds nothing.</summary>
    public Operand? Addend { get; init; }

    /// <summary>[T, rows].</summary>
    public required Operand Y { get; init; }

    /// <summary>Of x, not of bias and addend.</summary>
    public float Scale { get; init; } = 1;

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(X, Scales, Bias, Addend);
        all.Write(Y);
    }
}

/// <summary>dx = factor dy, and the magnitude's gradient (+)= scale / ||.|| times the sum of dy x over tokens.</summary>
public sealed record DoraBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.DoraBackward;

    /// <summary>[T, rows].</summary>
    public required Operand GradY { get; init; }

    /// <summary>[T, rows], of the forward.</summary>
    public required Operand X { get; init; }

    /// <summary>[2, rows] fp32.</summary>
    public required Operand Scales { get; init; }

    /// <summary>[T, rows], may be that of y.</summary>
    public required Operand GradX { get; init; }

    /// <summary>[rows].</summary>
    public required Operand GradMagnitude { get; init; }

    /// <summary>As the forward's; not of dx, which the products with it have.</summary>
    public float Scale { get; init; } = 1;

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        bool inPlace = GradX == GradY;
        all.Read(inPlace ? null : GradY, X, Scales);
        all.Write(inPlace ? null : GradX);
        all.Update(inPlace ? GradX : null, GradMagnitude);
    }
}
