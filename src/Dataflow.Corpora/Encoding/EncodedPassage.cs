namespace Dataflow.Corpora;

/// <summary>What was found out about documents when they were encoded.</summary>
public enum Outcome
{
    /// <summary>It has tokens.</summary>
    Kept,

    /// <summary>It is empty.</summary>
    Empty,

    /// <summary>Nothing of it would be trained.</summary>
    Untrained,
}

/// <summary>A passage as token ids.</summary>
/// <param name="Source">The passage.</param>
/// <param name="Ids">Its ids, with the end token behind a document's last.</param>
/// <param name="Weights">For each id, whether it is trained as a target; null where all are.</param>
/// <param name="Outcome">Whether it is one at all.</param>
internal readonly record struct EncodedPassage(Passage Source, List<int> Ids, byte[]? Weights, Outcome Outcome)
{
    /// <summary>Why nothing of it would be trained, where that is so.</summary>
    public string? Reason { get; init; }
}
