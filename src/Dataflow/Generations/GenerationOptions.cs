using Dataflow.Generation;

namespace Dataflow;

/// <summary>What continues texts, by the names of the command line's options.</summary>
public sealed record GenerationOptions
{
    /// <summary>
    /// Model (a folder with weights, hf:owner/name, or a run's folder of checkpoints), budgets and where it runs; its seqlen is the most
    /// tokens of a sequence, prompt and continuation together.
    /// </summary>
    public required PlanOptions Plan { get; init; }

    /// <summary>Sequences side by side at most; fewer where the budgets have no room for their keys and values.</summary>
    public int Batch { get; init; } = 1;

    /// <summary>
    /// Tokens of a prompt whose logits are told at once, where all are asked for (<see cref="TextGenerator.Logits"/>): a row of the
    /// vocabulary each, in both memories.
    /// </summary>
    public int LogitRows { get; init; } = 1;

    /// <summary>How tokens are chosen.</summary>
    public SamplingSettings Sampling { get; init; } = SamplingSettings.Greedy;

    /// <summary>Tokens that follow a prompt at most; null: as many as the seqlen leaves.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Texts at which a continuation ends; they are not part of it.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Continuations go on behind the token that ends a text.</summary>
    public bool IgnoreEnd { get; init; }

    /// <summary>The name of one of the model's chat templates; null: the default.</summary>
    public string? Template { get; init; }
}
