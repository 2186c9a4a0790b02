namespace Dataflow.Model;

/// <summary>y = addend + scale times the sum of K named rows of x for each row of y, in the order in which they are named.</summary>
public sealed record SumRowsCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.SumRows;

    /// <summary>[any, C].</summary>
    public required Operand From { get; init; }

    /// <summary>[T, K] int32.</summary>
    public required Operand Rows { get; init; }

    /// <summary>[T, C], may be y itself; null adds nothing.</summary>
    public required Operand? Addend { get; init; }

    /// <summary>[T, C].</summary>
    public required Operand To { get; init; }

    /// <summary>Of the sum alone.</summary>
    public float Scale { get; init; } = 1;

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        bool inPlace = Addend == To;
        all.Read(From, Rows, inPlace ? null : Addend);
        all.Write(inPlace ? null : To);
        all.Update(inPlace ? To : null);
    }
}
