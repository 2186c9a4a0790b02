namespace Dataflow.Text.Tokenizers;

/// <summary>From text to ids and back, by the rules of one file.</summary>
internal abstract class TokenCodec
{
    /// <summary>One more than the greatest id.</summary>
    public abstract int IdCount { get; }

    /// <summary>The token of an id; null for none.</summary>
    public abstract string? TokenOf(int id);

    /// <summary>The id of a token; -1 for none.</summary>
    public abstract int IdOf(string token);

    /// <summary>A text, or two, as tokens with their offsets.</summary>
    public abstract EncodedText Encode(string text, string? pair, bool addsSpecial);

    /// <summary>Adds the ids of a text, without asking where they come from.</summary>
    public abstract void Encode(string text, bool addsSpecial, List<int> ids);

    /// <summary>Whether a text that is cut at the first letters of lines (<see cref="LineStart"/>) has the ids of its parts.</summary>
    public abstract bool CutsAtLineStarts { get; }

    /// <summary>The text of ids; those that are no token's count for nothing.</summary>
    public abstract string Decode(IReadOnlyList<int> ids, bool skipsSpecial);

    /// <summary>
    /// Whether the text of ids ends, behind one of them, for good: what follows is then decoded as it would be after that one alone.
    /// </summary>
    public abstract bool EndsFor(int id);
}
