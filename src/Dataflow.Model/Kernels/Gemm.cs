namespace Dataflow.Model;

/// <summary>c = scale a b^T + addend + bias: an activation times a weight.</summary>
public sealed record GemmForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GemmForward;

    /// <summary>[T, in].</summary>
    public required Operand A { get; init; }

    /// <summary>[out, in].</summary>
    public required Operand B { get; init; }

    /// <summary>[T, out].</summary>
    public required Operand C { get; init; }

    /// <summary>[T, out], may be c itself; null adds nothing.</summary>
    public Operand? Addend { get; init; }

    /// <summary>[out], of c's type, added to every row; null adds nothing. Its gradient is a <see cref="ColumnSumCall"/>.</summary>
    public Operand? Bias { get; init; }

    /// <summary>Multiplies the product alone, before anything is added: not the bias, not the addend.</summary>
    public float Scale { get; init; } = 1;

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at)
    {
        var (a, c) = (at.Place(A), at.Place(C));
        return KernelWork.Gemm(a.Rows, c.Columns, a.Columns, at.Traffic(this));
    }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        bool inPlace = Addend == C;
        all.Read(A, B, inPlace ? null : Addend, Bias);
        all.Write(inPlace ? null : C);
        all.Update(inPlace ? C : null);
    }
}

/// <summary>c (+)= scale a b: a gradient times a weight.</summary>
public sealed record GemmInputGradientCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GemmInputGradient;

    /// <summary>[T, out].</summary>
    public required Operand A { get; init; }

    /// <summary>[out, in].</summary>
    public required Operand B { get; init; }

    /// <summary>[T, in].</summary>
    public required Operand C { get; init; }

    /// <summary>Several ops add to <see cref="C"/>; the first of them, whose access overwrites it, does not.</summary>
    public bool Sums { get; init; }

    /// <summary>Always adds to <see cref="C"/>, within one op too.</summary>
    public bool Adds { get; init; }

    /// <summary>Multiplies the product before it is added.</summary>
    public float Scale { get; init; } = 1;

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at)
    {
        var (a, c) = (at.Place(A), at.Place(C));
        return KernelWork.Gemm(a.Rows, c.Columns, a.Columns, at.Traffic(this));
    }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(A, B);
        all.Write(Sums || Adds ? null : C);
        all.Update(Sums || Adds ? C : null);
    }
}

/// <summary>c (+)= scale a^T b: a gradient times an activation, summed over tokens.</summary>
public sealed record GemmWeightGradientCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GemmWeightGradient;

    /// <summary>[T, out].</summary>
    public required Operand A { get; init; }

    /// <summary>[T, in].</summary>
    public required Operand B { get; init; }

    /// <summary>[out, in].</summary>
    public required Operand C { get; init; }

    /// <summary>Multiplies the product before it is added.</summary>
    public float Scale { get; init; } = 1;

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at)
    {
        var (g, tokens) = (at.Place(C), at.Place(A));
        return KernelWork.Gemm(g.Rows, g.Columns, tokens.Rows, at.Traffic(this));
    }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(A, B);
        all.Update(C);
    }
}
