namespace Dataflow.Model;

/// <summary>The weights of routed rows times a number of their expert's.</summary>
public sealed record ExpertScaleForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.ExpertScaleForward;

    /// <summary>[T K] fp32.</summary>
    public required Operand Weights { get; init; }

    /// <summary>[E + 1] int32.</summary>
    public required Operand ExpertRows { get; init; }

    /// <summary>[E].</summary>
    public required Operand Factors { get; init; }

    /// <summary>[T K] fp32.</summary>
    public required Operand Scaled { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Weights, ExpertRows, Factors);
        all.Write(Scaled);
    }
}

/// <summary>The gradient of the weights in place of that of what they became, and that of the factors.</summary>
public sealed record ExpertScaleBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.ExpertScaleBackward;

    /// <summary>[T K] fp32: of the weights times their factors; becomes that of the weights.</summary>
    public required Operand Gradient { get; init; }

    /// <summary>[T K] fp32.</summary>
    public required Operand Weights { get; init; }

    /// <summary>[E + 1] int32.</summary>
    public required Operand ExpertRows { get; init; }

    /// <summary>[E].</summary>
    public required Operand Factors { get; init; }

    /// <summary>[E]; null where they are frozen.</summary>
    public required Operand? GradFactors { get; init; }

    /// <summary>A sum for each expert.</summary>
    public required Operand Workspace { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Weights, ExpertRows, Factors);
        all.Write(Workspace);
        all.Update(Gradient, GradFactors);
    }
}
