namespace Dataflow.Text.Tokenizers;

/// <summary>A text, or two, as tokens.</summary>
public sealed class EncodedText
{
    internal EncodedText(List<int> ids, List<int> types, List<string> tokens, List<CodePointRange> ranges)
    {
        (Ids, Types, Tokens, Ranges) = (ids, types, tokens, ranges);
    }

    internal EncodedText()
        : this([], [], [], [])
    {
    }

    /// <summary>The ids.</summary>
    public IReadOnlyList<int> TokenIds => Ids;

    /// <summary>Of which text each token is: 0 for the first, unless the tokenizer's own template says otherwise.</summary>
    public IReadOnlyList<int> TypeIds => Types;

    /// <summary>Which code points of its text each token stands for; none for a token that was put there.</summary>
    public IReadOnlyList<CodePointRange> Offsets => Ranges;

    internal List<int> Ids { get; }

    internal List<int> Types { get; }

    internal List<string> Tokens { get; }

    internal List<CodePointRange> Ranges { get; }

    internal void Add(int id, int type, string token, CodePointRange range)
    {
        Ids.Add(id);
        Types.Add(type);
        Tokens.Add(token);
        Ranges.Add(range);
    }

    internal void Add(EncodedText other)
    {
        Ids.AddRange(other.Ids);
        Types.AddRange(other.Types);
        Tokens.AddRange(other.Tokens);
        Ranges.AddRange(other.Ranges);
    }
}
