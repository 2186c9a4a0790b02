namespace Dataflow.Model;

/// <summary>x = scale times rows of the table, or of a block of it, by token id.</summary>
public sealed record EmbeddingForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.EmbeddingForward;

    /// <summary>[T] int32.</summary>
    public required Operand Ids { get; init; }

    /// <summary>[rows, D].</summary>
    public required Operand Table { get; init; }

    /// <summary>[T, D].</summary>
    public required Operand X { get; init; }

    /// <summary>What rows are multiplied by.</summary>
    public float Scale { get; init; } = 1;

    /// <summary>Rows are added to those of X; else they take their place.</summary>
    public bool Adds { get; init; }

    /// <summary>Of the table, the rows of these tokens at most.</summary>
    public override KernelWork Work(in CallShapes at) => KernelWork.Memory((Adds ? 3.0 : 2.0) * at.Place(X).Size.Value);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Ids, Table);
        if (Adds)
        {
            all.Update(X);
        }
        else
        {
            all.Write(X);
        }
    }
}

/// <summary>Adds scale times rows of dx to those of the table's gradient, or of a block of it, by token id.</summary>
public sealed record EmbeddingBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.EmbeddingBackward;

    /// <summary>[T] int32.</summary>
    public required Operand Ids { get; init; }

    /// <summary>[T] int32, tokens sorted by id.</summary>
    public required Operand Order { get; init; }

    /// <summary>[T, D].</summary>
    public required Operand GradX { get; init; }

    /// <summary>[rows, D].</summary>
    public required Operand GradTable { get; init; }

    /// <summary>As the forward's.</summary>
    public float Scale { get; init; } = 1;

    /// <summary>Of the table, the rows of these tokens at most.</summary>
    public override KernelWork Work(in CallShapes at) => KernelWork.Memory(3.0 * at.Place(GradX).Size.Value);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Ids, Order, GradX);
        all.Update(GradTable);
    }
}
