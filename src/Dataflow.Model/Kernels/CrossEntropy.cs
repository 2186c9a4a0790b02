namespace Dataflow.Model;

/// <summary>The loss of a sub-chunk, and the gradient of its logits as they come, before scale and cap.</summary>
public sealed record CrossEntropyCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.CrossEntropy;

    /// <summary>[head tokens, V] fp32.</summary>
    public required Operand Logits { get; init; }

    /// <summary>What logits are multiplied by before anything else; above 0.</summary>
    public float LogitScale { get; init; } = 1;

    /// <summary>c of c tanh(logit / c), what scaled logits are replaced by, as Gemma 2 does; null leaves them as they are.</summary>
    public float? LogitSoftcap { get; init; }

    /// <summary>[T] int32.</summary>
    public required Operand Targets { get; init; }

    /// <summary>[T] fp32; null where every target weighs 1.</summary>
    public Operand? Weights { get; init; }

    /// <summary>[head tokens, V].</summary>
    public required Operand GradLogits { get; init; }

    /// <summary>Sums of blocks of tokens.</summary>
    public required Operand Workspace { get; init; }

    /// <summary>One fp32.</summary>
    public required Operand Loss { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Logits, Targets, Weights);
        all.Write(GradLogits, Workspace);
        all.Update(Loss);
    }
}

/// <summary>Folds the logits of a block of the vocabulary into the statistics of their rows.</summary>
public sealed record CrossEntropyStatisticsCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.CrossEntropyStatistics;

    /// <summary>[head tokens, rows of the block] fp32.</summary>
    public required Operand Logits { get; init; }

    /// <summary>What logits are multiplied by before anything else; above 0.</summary>
    public float LogitScale { get; init; } = 1;

    /// <summary>c of c tanh(logit / c), what scaled logits are replaced by, as Gemma 2 does; null leaves them as they are.</summary>
    public float? LogitSoftcap { get; init; }

    /// <summary>[T] int32.</summary>
    public required Operand Targets { get; init; }

    /// <summary>[3, T] fp32.</summary>
    public required Operand Statistics { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Logits, Targets);
        all.Update(Statistics);
    }
}

/// <summary>The chunk's loss from statistics over the whole vocabulary.</summary>
public sealed record CrossEntropyLossCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.CrossEntropyLoss;

    /// <summary>[T] int32.</summary>
    public required Operand Targets { get; init; }

    /// <summary>[T] fp32; null where every target weighs 1.</summary>
    public Operand? Weights { get; init; }

    /// <summary>[3, T] fp32.</summary>
    public required Operand Statistics { get; init; }

    /// <summary>One fp32.</summary>
    public required Operand Loss { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Statistics, Targets, Weights);
        all.Update(Loss);
    }
}

/// <summary>The gradient of a block's logits from statistics over the whole vocabulary.</summary>
public sealed record CrossEntropyGradientCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.CrossEntropyGradient;

    /// <summary>[head tokens, rows of the block] fp32.</summary>
    public required Operand Logits { get; init; }

    /// <summary>What logits are multiplied by before anything else; above 0.</summary>
    public float LogitScale { get; init; } = 1;

    /// <summary>c of c tanh(logit / c), what scaled logits are replaced by, as Gemma 2 does; null leaves them as they are.</summary>
    public float? LogitSoftcap { get; init; }

    /// <summary>[T] int32.</summary>
    public required Operand Targets { get; init; }

    /// <summary>[T] fp32; null where every target weighs 1.</summary>
    public Operand? Weights { get; init; }

    /// <summary>[3, T] fp32.</summary>
    public required Operand Statistics { get; init; }

    /// <summary>[head tokens, rows of the block].</summary>
    public required Operand GradLogits { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Logits, Targets, Weights, Statistics);
        all.Write(GradLogits);
    }
}
