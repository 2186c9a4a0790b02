namespace Dataflow.Model;

/// <summary>In place: x + w b with the bias of each row's group, and a weight for each row where rows have one.</summary>
public sealed record GroupedBiasForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GroupedBiasForward;

    /// <summary>[R, C], rows ordered by group.</summary>
    public required Operand X { get; init; }

    /// <summary>[G x C].</summary>
    public required Operand Bias { get; init; }

    /// <summary>[G + 1] int32, the first row of each group; null: all rows are one.</summary>
    public Operand? GroupRows { get; init; }

    /// <summary>[R] fp32; null: all count once.</summary>
    public Operand? Weights { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Bias, GroupRows, Weights);
        all.Update(X);
    }
}

/// <summary>
/// The gradient of biases, the sum of w dx over each group's rows; and that of the weights, dx b of each row, which is added.
/// </summary>
public sealed record GroupedBiasBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GroupedBiasBackward;

    /// <summary>[R, C], rows ordered by group.</summary>
    public required Operand Gradient { get; init; }

    /// <summary>[G + 1] int32.</summary>
    public required Operand GroupRows { get; init; }

    /// <summary>[G x C]; null where rows have no weights.</summary>
    public Operand? Bias { get; init; }

    /// <summary>[R] fp32; null: all count once.</summary>
    public Operand? Weights { get; init; }

    /// <summary>[R] fp32; null where rows have no weights.</summary>
    public Operand? GradWeights { get; init; }

    /// <summary>[G x C]; null where the biases are frozen.</summary>
    public Operand? GradBias { get; init; }

    /// <summary>By what the gradient counts.</summary>
    public float Scale { get; init; } = 1;

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Gradient, GroupRows, Bias, Weights);
        all.Update(GradWeights, GradBias);
    }
}
