namespace Dataflow.Model;

/// <summary>
/// y = x / (1 - rate) where a number is kept, else 0; or y += that. What is kept follows from seed, step, token of the step, module and
/// column alone. All is kept, as it is, in steps that do not train.
/// </summary>
public sealed record DropoutCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.Dropout;

    /// <summary>[T, in].</summary>
    public required Operand X { get; init; }

    /// <summary>[T, in].</summary>
    public required Operand Y { get; init; }

    /// <summary>The share that is not kept.</summary>
    public required double Rate { get; init; }

    /// <summary>The B whose product it is before: with the layer it says which module.</summary>
    public required WeightName Module { get; init; }

    /// <summary>It is added to y: the way back.</summary>
    public bool Adds { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(X);
        all.Write(Adds ? null : Y);
        all.Update(Adds ? Y : null);
    }
}
