namespace Dataflow.Model;

/// <summary>Adds the log-probabilities of a chunk's targets to the sums of their documents.</summary>
public sealed record PreferenceSumsCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.PreferenceSums;

    /// <summary>[T] int32.</summary>
    public required Operand Targets { get; init; }

    /// <summary>[T] int32, the number of each token's document in the round.</summary>
    public required Operand Sequences { get; init; }

    /// <summary>[3, T] fp32, of the whole vocabulary.</summary>
    public required Operand Statistics { get; init; }

    /// <summary>The round's pairs, whose sums are added to.</summary>
    public required Operand Pairs { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Statistics, Targets, Sequences);
        all.Update(Pairs);
    }
}

/// <summary>The weight of each target in the loss of its pair.</summary>
public sealed record PreferenceWeightsCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.PreferenceWeights;

    /// <summary>[T] int32.</summary>
    public required Operand Targets { get; init; }

    /// <summary>[T] int32, the number of each token's document in the round.</summary>
    public required Operand Sequences { get; init; }

    /// <summary>The round's pairs with all of their sums.</summary>
    public required Operand Pairs { get; init; }

    /// <summary>[head tokens] fp32.</summary>
    public required Operand Weights { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Targets, Sequences, Pairs);
        all.Write(Weights);
    }
}
