namespace Dataflow.Generation;

/// <summary>How the next token is chosen. The rules are applied in the order of the properties, as Hugging Face's library does.</summary>
public sealed record SamplingSettings
{
    /// <summary>The likeliest token, always.</summary>
    public static readonly SamplingSettings Greedy = new();

    /// <summary>
    /// Logits of tokens that the sequence has already are divided by it, negative ones multiplied: above 1 it repeats itself less. 1:
    /// nothing.
    /// </summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Logits are divided by it: below 1 likely tokens become likelier; 0: the likeliest is taken.</summary>
    public double Temperature { get; init; }

    /// <summary>Only so many of the likeliest; null: all.</summary>
    public int? TopK { get; init; }

    /// <summary>Only the likeliest whose probabilities add up to it, the one that reaches it included. 1: all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Only tokens at least that likely, as a share of the likeliest. 0: all.</summary>
    public double MinP { get; init; }

    /// <summary>The same seed gives the same tokens, whatever else is in the batch.</summary>
    public ulong Seed { get; init; }

    /// <summary>What is wrong, as a sentence; null if nothing is.</summary>
    public string? Fault =>
        !(RepetitionPenalty > 0 && double.IsFinite(RepetitionPenalty)) ? $"the repetition penalty is {RepetitionPenalty}; give more than 0"
        : !(Temperature >= 0 && double.IsFinite(Temperature)) ? $"the temperature is {Temperature}; give 0 or more"
        : TopK is < 1 ? $"top-k is {TopK}; give 1 or more"
        : TopP is not (> 0 and <= 1) ? $"top-p is {TopP}; give more than 0 and at most 1"
        : MinP is not (>= 0 and <= 1) ? $"min-p is {MinP}; give from 0 to 1"
        : null;
}
