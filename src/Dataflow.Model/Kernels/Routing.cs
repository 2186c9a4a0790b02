namespace Dataflow.Model;

/// <summary>
/// Chooses the experts of each token, and orders the rows that they compute: by expert, those of one expert in the order of tokens.
/// </summary>
public sealed record RoutingCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.Routing;

    /// <summary>The rules of choice.</summary>
    public required ExpertMixture Mixture { get; init; }

    /// <summary>[T, E] fp32, and a column behind them where the shared expert has a gate.</summary>
    public required Operand Logits { get; init; }

    /// <summary>[E] fp32, added to scores where experts are chosen; null adds nothing.</summary>
    public required Operand? Correction { get; init; }

    /// <summary>[T, K] int32.</summary>
    public required Operand Choices { get; init; }

    /// <summary>[T, K] int32.</summary>
    public required Operand Places { get; init; }

    /// <summary>[T K] int32.</summary>
    public required Operand Tokens { get; init; }

    /// <summary>[E + 1] int32.</summary>
    public required Operand ExpertRows { get; init; }

    /// <summary>[T K] fp32.</summary>
    public required Operand Weights { get; init; }

    /// <summary>[T] fp32; null where the shared expert has no gate.</summary>
    public required Operand? SharedWeights { get; init; }

    /// <summary>What is counted by groups of tokens.</summary>
    public required Operand Workspace { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Logits, Correction);
        all.Write(Choices, Places, Tokens, ExpertRows, Weights, SharedWeights, Workspace);
    }
}

/// <summary>Adds a chunk's choices and probabilities in one layer to the load of the round's experts, and the z-loss's squares.</summary>
public sealed record ExpertLoadCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.ExpertLoad;

    /// <summary>[T, E] fp32, and a column behind them where the shared expert has a gate.</summary>
    public required Operand Logits { get; init; }

    /// <summary>[E + 1] int32.</summary>
    public required Operand ExpertRows { get; init; }

    /// <summary>[<see cref="ModelConfig.LoadRows"/>, E] fp32.</summary>
    public required Operand Load { get; init; }

    /// <summary>Sums of groups of tokens.</summary>
    public required Operand Workspace { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Logits, ExpertRows);
        all.Write(Workspace);
        all.Update(Load);
    }
}

/// <summary>Adds a chunk's share of the losses of routers to its loss.</summary>
public sealed record ExpertLoadLossCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.ExpertLoadLoss;

    /// <summary>[<see cref="ModelConfig.LoadRows"/>, E] fp32.</summary>
    public required Operand Load { get; init; }

    /// <summary>One fp32.</summary>
    public required Operand Loss { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Load);
        all.Update(Loss);
    }
}

/// <summary>The gradient of the router's logits from those of the weights: what is chosen is taken as given.</summary>
public sealed record RoutingBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.RoutingBackward;

    /// <summary>The rules of choice.</summary>
    public required ExpertMixture Mixture { get; init; }

    /// <summary>[T, E] fp32, and a column behind them where the shared expert has a gate.</summary>
    public required Operand Logits { get; init; }

    /// <summary>[T, K] int32.</summary>
    public required Operand Choices { get; init; }

    /// <summary>[T, K] int32.</summary>
    public required Operand Places { get; init; }

    /// <summary>[T K] fp32.</summary>
    public required Operand GradWeights { get; init; }

    /// <summary>[T] fp32; null where the shared expert has no gate.</summary>
    public required Operand? GradSharedWeights { get; init; }

    /// <summary>[<see cref="ModelConfig.LoadRows"/>, E] fp32 of the whole round; null where routers have no losses.</summary>
    public required Operand? Load { get; init; }

    /// <summary>[T, E], and a column behind them where the shared expert has a gate.</summary>
    public required Operand GradLogits { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Logits, Choices, Places, GradWeights, GradSharedWeights, Load);
        all.Write(GradLogits);
    }
}
