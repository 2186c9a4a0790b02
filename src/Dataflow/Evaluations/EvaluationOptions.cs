namespace Dataflow;

/// <summary>What is to be evaluated, by the names of the command line's options.</summary>
public sealed record EvaluationOptions
{
    /// <summary>Model, length, budgets and where it runs.</summary>
    public required PlanOptions Plan { get; init; }

    /// <summary>What the loss is measured on: as for training.</summary>
    public IReadOnlyList<string> Data { get; init; } = [];

    /// <summary>A file of raw token ids instead, as one document.</summary>
    public string? Tokens { get; init; }

    /// <summary>How data becomes documents of token ids.</summary>
    public CorpusOptions Corpus { get; init; } = new();

    /// <summary>
    /// Tokens from the beginning of a window of seqlen to that of the next: what a window shares with the one before is context and is not
    /// scored again. Null: seqlen.
    /// </summary>
    public int? Stride { get; init; }
}
