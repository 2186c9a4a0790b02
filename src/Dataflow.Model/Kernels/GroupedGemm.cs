namespace Dataflow.Model;

/// <summary>c (+)= scale a b^T with the matrix of each row's expert.</summary>
public sealed record GroupedGemmForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GroupedGemmForward;

    /// <summary>[R, in], rows ordered by expert.</summary>
    public required Operand A { get; init; }

    /// <summary>[E x out, in].</summary>
    public required Operand B { get; init; }

    /// <summary>[E + 1] int32, the first row of each expert.</summary>
    public required Operand ExpertRows { get; init; }

    /// <summary>[R, out].</summary>
    public required Operand C { get; init; }

    /// <summary>The product is added to <see cref="C"/>.</summary>
    public bool Adds { get; init; }

    /// <summary>Multiplies the product.</summary>
    public float Scale { get; init; } = 1;

    /// <summary>Calls of which each has as many of the experts, and all rows together.</summary>
    public int Groups { get; init; } = 1;

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) => KernelWork.Grouped(this, at, A, C, ExpertRows, Groups);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(A, B, ExpertRows);
        all.Write(Adds ? null : C);
        all.Update(Adds ? C : null);
    }
}

/// <summary>c (+)= scale a b with the matrix of each row's expert.</summary>
public sealed record GroupedGemmInputGradientCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GroupedGemmInputGradient;

    /// <summary>[R, out], rows ordered by expert.</summary>
    public required Operand A { get; init; }

    /// <summary>[E x out, in].</summary>
    public required Operand B { get; init; }

    /// <summary>[E + 1] int32, the first row of each expert.</summary>
    public required Operand ExpertRows { get; init; }

    /// <summary>[R, in].</summary>
    public required Operand C { get; init; }

    /// <summary>The product is added to <see cref="C"/>.</summary>
    public bool Adds { get; init; }

    /// <summary>Multiplies the product.</summary>
    public float Scale { get; init; } = 1;

    /// <summary>Calls of which each has as many of the experts, and all rows together.</summary>
    public int Groups { get; init; } = 1;

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) => KernelWork.Grouped(this, at, A, C, ExpertRows, Groups);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(A, B, ExpertRows);
        all.Write(Adds ? null : C);
        all.Update(Adds ? C : null);
    }
}

/// <summary>c (+)= scale a^T b, of each expert over its rows; of one without rows nothing.</summary>
public sealed record GroupedGemmWeightGradientCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GroupedGemmWeightGradient;

    /// <summary>[R, out], rows ordered by expert.</summary>
    public required Operand A { get; init; }

    /// <summary>[R, in], likewise.</summary>
    public required Operand B { get; init; }

    /// <summary>[E + 1] int32, the first row of each expert.</summary>
    public required Operand ExpertRows { get; init; }

    /// <summary>[E x out, in].</summary>
    public required Operand C { get; init; }

    /// <summary>Multiplies the product before it is added.</summary>
    public float Scale { get; init; } = 1;

    /// <summary>Calls of which each has as many of the experts, and all rows together.</summary>
    public int Groups { get; init; } = 1;

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at)
    {
        var (a, b) = (at.Place(A), at.Place(B));
        double experts = at.Place(ExpertRows).Columns - 1;
        double others = Groups - 1, bytes = at.Traffic(this) - (others / Groups * (a.Size + b.Size).Value);
        var work = KernelWork.Gemm(a.Columns, b.Columns, (double)a.Rows / Groups, bytes);
        return work with { Depth = Math.Max(1, work.Depth / experts) };
    }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(A, B, ExpertRows);
        all.Update(C);
    }
}
