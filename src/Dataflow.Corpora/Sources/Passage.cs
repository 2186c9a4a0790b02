namespace Dataflow.Corpora;

/// <summary>What kind of document a record is.</summary>
public enum DocumentKind
{
    /// <summary>Text, all of which is trained.</summary>
    Text,

    /// <summary>A prompt and its completion, which alone is trained.</summary>
    Completion,

    /// <summary>A conversation, of which the assistant's turns are trained.</summary>
    Conversation,

    /// <summary>Two answers to one prompt, a chosen one and a rejected one: a document of both, prompt and answer twice.</summary>
    Preference,
}

/// <summary>Where reading can go on in a list of sources.</summary>
/// <param name="File">Which of the files, from 0.</param>
/// <param name="Offset">
/// Bytes of the file, as decompressed, before the passage: for Parquet, rows before it. 0 is where the file begins.
/// </param>
public readonly record struct SourcePosition(int File, long Offset);

/// <summary>
/// A document as its source has it, or a piece of one that is too long to be held: the pieces of a document follow each other.
/// </summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">
/// The text; of a prompt and its completion both, one after the other; of a conversation the JSON object; of a preference either, with the
/// chosen answer.
/// </param>
public sealed record Passage(DocumentKind Kind, string Text)
{
    /// <summary>Characters of the text that are the prompt.</summary>
    public int PromptLength { get; init; }

    /// <summary>Of a preference the same text with the rejected answer.</summary>
    public string? Rejected { get; init; }

    /// <summary>Of a preference: both texts are conversations.</summary>
    public bool IsOfTurns { get; init; }

    /// <summary>Whether the document begins with it.</summary>
    public bool Begins { get; init; } = true;

    /// <summary>Whether the document ends with it.</summary>
    public bool Ends { get; init; } = true;

    /// <summary>Where it stands, for messages: which file, and its line or row there, from 1.</summary>
    public required PassagePlace Place { get; init; }

    /// <summary>Where reading goes on after it.</summary>
    public required SourcePosition Next { get; init; }
}

/// <summary>Where a passage stands, for people.</summary>
/// <param name="Path">The file, as it was named.</param>
/// <param name="Unit">"line", "row", "record" or "byte".</param>
/// <param name="Number">Which, from 1.</param>
public readonly record struct PassagePlace(string Path, string Unit, long Number)
{
    /// <summary>As in "data.jsonl, line 17".</summary>
    public override string ToString() => FormattableString.Invariant($"{Path}, {Unit} {Number}");
}
