namespace Dataflow.Model;

/// <summary>c (+)= the sum of a over tokens: the gradient of a bias.</summary>
public sealed record ColumnSumCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.ColumnSum;

    /// <summary>[T, out].</summary>
    public required Operand A { get; init; }

    /// <summary>[out].</summary>
    public required Operand C { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(A);
        all.Update(C);
    }
}
