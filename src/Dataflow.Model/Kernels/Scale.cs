namespace Dataflow.Model;

/// <summary>x times one number of the model's, in place.</summary>
public sealed record ScaleCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.Scale;

    /// <summary>[T, D].</summary>
    public required Operand X { get; init; }

    /// <summary>[1].</summary>
    public required Operand Factor { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Factor);
        all.Update(X);
    }
}
