using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>The sum of each document += the log-probabilities of its targets in a chunk, in their order.</summary>
public readonly record struct PreferenceSumsArguments : IKernelArguments
{
    /// <summary>[rows] int32, -1 where a target is not counted.</summary>
    public required nuint Targets { get; init; }

    /// <summary>[rows] int32, the number of each token's document; those of one document follow each other.</summary>
    public required nuint Sequences { get; init; }

    /// <summary>Three fp32 arrays, as <see cref="CrossEntropyStatisticsArguments"/> has them.</summary>
    public required nuint Statistics { get; init; }

    /// <summary>Elements from one array to the next.</summary>
    public required int Stride { get; init; }

    /// <summary>Of the chunk.</summary>
    public required int Rows { get; init; }

    /// <summary>The round's <see cref="PairTable"/>.</summary>
    public required nuint Pairs { get; init; }

    /// <summary>Its bytes.</summary>
    public required Bytes PairsLength { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static PreferenceSumsArguments Of(PreferenceSumsCall call, in OpOperands at) =>
        new()
        {
            Targets = at.Pointer(call.Targets),
            Sequences = at.Pointer(call.Sequences),
            Statistics = at.Pointer(call.Statistics),
            Stride = at.ChunkTokens,
            Rows = at.Tokens,
            Pairs = at.Pointer(call.Pairs),
            PairsLength = at.SizeOf(call.Pairs),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.PreferenceSums(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Words(Targets, Rows);
        accesses.Words(Sequences, Rows);
        accesses.Read(KernelAccesses.Statistic(Statistics, 0, Stride), KernelAccesses.Floats(Rows));
        accesses.Read(KernelAccesses.Statistic(Statistics, 1, Stride), KernelAccesses.Floats(Rows));
        accesses.Read(KernelAccesses.Statistic(Statistics, 2, Stride), KernelAccesses.Floats(Rows));
        accesses.Update(Pairs, PairsLength.Value);
    }
}

/// <summary>The weight of each target in the loss of its pair (<see cref="PairTable"/>); 0 where a target is not counted.</summary>
public readonly record struct PreferenceWeightsArguments : IKernelArguments
{
    /// <summary>[rows] int32, -1 where a target is not counted.</summary>
    public required nuint Targets { get; init; }

    /// <summary>[rows] int32, the number of each token's document.</summary>
    public required nuint Sequences { get; init; }

    /// <summary>Of the sub-chunk.</summary>
    public required int Rows { get; init; }

    /// <summary>The round's <see cref="PairTable"/>.</summary>
    public required nuint Pairs { get; init; }

    /// <summary>Its bytes.</summary>
    public required Bytes PairsLength { get; init; }

    /// <summary>[rows] fp32.</summary>
    public required nuint Weights { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static PreferenceWeightsArguments Of(PreferenceWeightsCall call, in OpOperands at) =>
        new()
        {
            Targets = at.Pointer(call.Targets),
            Sequences = at.Pointer(call.Sequences),
            Rows = at.Tokens,
            Pairs = at.Pointer(call.Pairs),
            PairsLength = at.SizeOf(call.Pairs),
            Weights = at.Pointer(call.Weights),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.PreferenceWeights(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Words(Targets, Rows);
        accesses.Words(Sequences, Rows);
        accesses.Read(Pairs, PairsLength.Value);
        accesses.Write(Weights, KernelAccesses.Floats(Rows));
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="PreferenceSumsArguments"/>
    void PreferenceSums(in PreferenceSumsArguments call);

    /// <inheritdoc cref="PreferenceWeightsArguments"/>
    void PreferenceWeights(in PreferenceWeightsArguments call);
}
