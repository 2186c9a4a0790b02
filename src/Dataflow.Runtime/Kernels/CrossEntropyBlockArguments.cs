using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// Logits of a block of the vocabulary into their rows' statistics: overwritten by the first block, folded into by the others.
/// </summary>
public readonly record struct CrossEntropyStatisticsArguments : IKernelArguments
{
    /// <summary>[rows, rows of the block] fp32.</summary>
    public required Tensor Logits { get; init; }

    /// <summary>What logits are multiplied by.</summary>
    public required float LogitScale { get; init; }

    /// <summary>c of c tanh(logit / c), after the scale; null leaves them as they are.</summary>
    public required float? LogitSoftcap { get; init; }

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

    /// <summary>Of a call's operands.</summary>
    public static CrossEntropyStatisticsArguments Of(CrossEntropyStatisticsCall call, in OpOperands at) =>
        new()
        {
            Logits = at.Tensor(call.Logits),
            LogitScale = call.LogitScale,
            LogitSoftcap = call.LogitSoftcap,
            Targets = at.Pointer(call.Targets),
            FirstId = at.FirstId,
            Statistics = at.Pointer(call.Statistics),
            Stride = at.ChunkTokens,
            Fold = at.Accumulates(call.Statistics),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.CrossEntropyStatistics(this);

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

    /// <summary>[rows] fp32, the weight of each target; 0 where all weigh 1.</summary>
    public nuint Weights { get; init; }

    /// <summary>Of the chunk.</summary>
    public required int Rows { get; init; }

    /// <summary>Three fp32 arrays, as <see cref="CrossEntropyStatisticsArguments"/> has them.</summary>
    public required nuint Statistics { get; init; }

    /// <summary>Elements from one array to the next.</summary>
    public required int Stride { get; init; }

    /// <summary>One fp32.</summary>
    public required nuint Loss { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static CrossEntropyLossArguments Of(CrossEntropyLossCall call, in OpOperands at) =>
        new()
        {
            Targets = at.Pointer(call.Targets),
            Weights = at.Pointer(call.Weights),
            Rows = at.Tokens,
            Statistics = at.Pointer(call.Statistics),
            Stride = at.ChunkTokens,
            Loss = at.Pointer(call.Loss),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.CrossEntropyLoss(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Words(Targets, Rows);
        accesses.Floats(Weights, Rows);
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

    /// <summary>What logits are multiplied by.</summary>
    public required float LogitScale { get; init; }

    /// <summary>c of c tanh(logit / c), after the scale; null leaves them as they are.</summary>
    public required float? LogitSoftcap { get; init; }

    /// <summary>[rows] int32, -1 where a target is not counted.</summary>
    public required nuint Targets { get; init; }

    /// <summary>[rows] fp32, the weight of each target; 0 where all weigh 1.</summary>
    public nuint Weights { get; init; }

    /// <summary>The id of the block's first row.</summary>
    public required int FirstId { get; init; }

    /// <summary>Three fp32 arrays, as <see cref="CrossEntropyStatisticsArguments"/> has them.</summary>
    public required nuint Statistics { get; init; }

    /// <summary>Elements from one array to the next.</summary>
    public required int Stride { get; init; }

    /// <summary>[rows, rows of the block].</summary>
    public required Tensor GradLogits { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static CrossEntropyGradientArguments Of(CrossEntropyGradientCall call, in OpOperands at) =>
        new()
        {
            Logits = at.Tensor(call.Logits),
            LogitScale = call.LogitScale,
            LogitSoftcap = call.LogitSoftcap,
            Targets = at.Pointer(call.Targets),
            Weights = at.Pointer(call.Weights),
            FirstId = at.FirstId,
            Statistics = at.Pointer(call.Statistics),
            Stride = at.ChunkTokens,
            GradLogits = at.Tensor(call.GradLogits),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.CrossEntropyGradient(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Logits);
        accesses.Words(Targets, Logits.Rows);
        accesses.Floats(Weights, Logits.Rows);
        accesses.Read(KernelAccesses.Statistic(Statistics, 0, Stride), KernelAccesses.Floats(Logits.Rows));
        accesses.Read(KernelAccesses.Statistic(Statistics, 1, Stride), KernelAccesses.Floats(Logits.Rows));
        accesses.Read(KernelAccesses.Statistic(Statistics, 2, Stride), KernelAccesses.Floats(Logits.Rows));
        accesses.Write(GradLogits);
        accesses.StepArguments();
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="CrossEntropyStatisticsArguments"/>
    void CrossEntropyStatistics(in CrossEntropyStatisticsArguments call);

    /// <inheritdoc cref="CrossEntropyLossArguments"/>
    void CrossEntropyLoss(in CrossEntropyLossArguments call);

    /// <inheritdoc cref="CrossEntropyGradientArguments"/>
    void CrossEntropyGradient(in CrossEntropyGradientArguments call);
}
