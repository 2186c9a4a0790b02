namespace Dataflow.Model;

/// <summary>A dense copy of a weight that is stored in a type of its own: what a product multiplies by.</summary>
public sealed record DequantizeCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.Dequantize;

    /// <summary>[out, in] as it is stored.</summary>
    public required Operand Stored { get; init; }

    /// <summary>[out, in] in the recipe's type.</summary>
    public required Operand Dense { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Stored);
        all.Write(Dense);
    }
}
