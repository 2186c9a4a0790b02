namespace Dataflow.Model;

/// <summary>y = those rows of x that are named.</summary>
public sealed record GatherRowsCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GatherRows;

    /// <summary>[any, C].</summary>
    public required Operand From { get; init; }

    /// <summary>[R] int32.</summary>
    public required Operand Rows { get; init; }

    /// <summary>[R, C].</summary>
    public required Operand To { get; init; }

    /// <summary>Of x, as many rows as y has.</summary>
    public override KernelWork Work(in CallShapes at) => KernelWork.Memory(2.0 * at.Place(To).Size.Value);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(From, Rows);
        all.Write(To);
    }
}

/// <summary>Puts the rows of x in place of those rows of y that are named.</summary>
public sealed record ScatterRowsCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.ScatterRows;

    /// <summary>[R, C].</summary>
    public required Operand From { get; init; }

    /// <summary>[R] int32, each another.</summary>
    public required Operand Rows { get; init; }

    /// <summary>[any, C].</summary>
    public required Operand To { get; init; }

    /// <summary>Of y, as many rows as x has.</summary>
    public override KernelWork Work(in CallShapes at) => KernelWork.Memory(2.0 * at.Place(From).Size.Value);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(From, Rows);
        all.Update(To);
    }
}
