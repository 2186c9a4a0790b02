namespace Dataflow.Runtime;

/// <summary>
/// Logits of a block of the vocabulary into their rows' statistics: overwritten by the first block, folded into by the others.
/// </summary>
public readonly record struct CrossEntropyStatisticsArguments : IKernelArguments
{
    /// <summary>[rows, rows of the block] fp32.</summary>
    public required Tensor Logits { get; init; }

    /// <summary>[rows] int32, -1 where a target is not counted.</summary>
    public required nuint Targets { get; init; }

    /// <summary>The id of the block's first row.</summary>
    public required int FirstId { get; init; }

    /// <summary>Three fp32 arrays of the rows: largest logit, sum of exponentials under it, the target's logit.</summary>
    public required nuint Statistics { get; init; }

    /// <summary>Elements from one array to the next.</summary>
    public required int Stride { get; init; }

    /// <summary>Whether blocks came before.</summary>
    public required bool Fold { get; init; }

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Logits);
        accesses.Words(Targets, Logits.Rows);
        accesses.Sum(KernelAccesses.Statistic(Statistics, 0, Stride), KernelAccesses.Floats(Logits.Rows), Fold);
        accesses.Sum(KernelAccesses.Statistic(Statistics, 1, Stride), KernelAccesses.Floats(Logits.Rows), Fold);
        accesses.Sum(KernelAccesses.Statistic(Statistics, 2, Stride), KernelAccesses.Floats(Logits.Rows), Fold);
    }
}

/// <summary>loss = the sum of the counted rows' losses, from statistics over the whole vocabulary.</summary>
public readonly record struct CrossEntropyLossArguments : IKernelArguments
{
    /// <summary>[rows] int32, -1 where a target is not counted.</summary>
    public required nuint Targets { get; init; }

    /// <summary>Of the chunk.</summary>
    public required int Rows { get; init; }

    /// <summary>Three fp32 arrays, as <see cref="CrossEntropyStatisticsArguments"/> has them.</summary>
    public required nuint Statistics { get; init; }

    /// <summary>Elements from one array to the next.</summary>
    public required int Stride { get; init; }

    /// <summary>One fp32.</summary>
    public required nuint Loss { get; init; }

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Words(Targets, Rows);
        accesses.Read(KernelAccesses.Statistic(Statistics, 0, Stride), KernelAccesses.Floats(Rows));
        accesses.Read(KernelAccesses.Statistic(Statistics, 1, Stride), KernelAccesses.Floats(Rows));
        accesses.Read(KernelAccesses.Statistic(Statistics, 2, Stride), KernelAccesses.Floats(Rows));
        accesses.Write(Loss, sizeof(float));
    }
}

/// <summary>A block's columns of the gradient that the whole gives.</summary>
public readonly record struct CrossEntropyGradientArguments : IKernelArguments
{
    /// <summary>[rows, rows of the block] fp32.</summary>
    public required Tensor Logits { get; init; }

    /// <summary>[rows] int32, -1 where a target is not counted.</summary>
    public required nuint Targets { get; init; }

    /// <summary>The id of the block's first row.</summary>
    public required int FirstId { get; init; }

    /// <summary>Three fp32 arrays, as <see cref="CrossEntropyStatisticsArguments"/> has them.</summary>
    public required nuint Statistics { get; init; }

    /// <summary>Elements from one array to the next.</summary>
    public required int Stride { get; init; }

    /// <summary>[rows, rows of the block].</summary>
    public required Tensor GradLogits { get; init; }

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Logits);
        accesses.Words(Targets, Logits.Rows);
        accesses.Read(KernelAccesses.Statistic(Statistics, 0, Stride), KernelAccesses.Floats(Logits.Rows));
        accesses.Read(KernelAccesses.Statistic(Statistics, 1, Stride), KernelAccesses.Floats(Logits.Rows));
        accesses.Read(KernelAccesses.Statistic(Statistics, 2, Stride), KernelAccesses.Floats(Logits.Rows));
        accesses.Write(GradLogits);
        accesses.StepArguments();
    }
}
