using System.Text;

namespace Dataflow.Text.Tokenizers;

/// <summary>One stage that turns tokens into text.</summary>
internal abstract class TokenDecoder
{
    /// <summary>The tokens, or fewer, as they are to be shown.</summary>
    public abstract List<string> Apply(List<string> tokens);
}

/// <summary>One after the other.</summary>
internal sealed class DecoderSequence(IReadOnlyList<TokenDecoder> parts) : TokenDecoder
{
    /// <summary>Them.</summary>
    public IReadOnlyList<TokenDecoder> Parts => parts;

    /// <inheritdoc/>
    public override List<string> Apply(List<string> tokens) => parts.Aggregate(tokens, (made, part) => part.Apply(made));
}

/// <summary>All tokens as one.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Apply(List<string> tokens) => [string.Concat(tokens)];
}

/// <summary>Replaces in each token what a pattern finds.</summary>
internal sealed class ReplaceDecoder(IPattern pattern, string? fixedText, string content) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Apply(List<string> tokens) => tokens.ConvertAll(Replace);

    private string Replace(string token)
    {
        if (fixedText is { Length: > 0 })
        {
            return token.Replace(fixedText, content, StringComparison.Ordinal);
        }

        var matches = new List<Match>();
        pattern.Find(token, matches);
        var made = new StringBuilder();
        foreach (var (start, end, isMatch) in matches)
        {
            made.Append(isMatch ? content : token.AsSpan(start, end - start));
        }

        return made.ToString();
    }
}

/// <summary>Takes a character away from the ends of each token, so many times at most.</summary>
internal sealed class StripDecoder(string content, int start, int stop) : TokenDecoder
{
    /// <summary>Whether it looks at ends, which later tokens may still move.</summary>
    public bool LooksAtEnds => stop > 0;

    /// <inheritdoc/>
    public override List<string> Apply(List<string> tokens) => tokens.ConvertAll(Strip);

    private string Strip(string token)
    {
        int from = 0;
        for (int i = 0; i < start && token.AsSpan(from).StartsWith(content, StringComparison.Ordinal); i++)
        {
            from += content.Length;
        }

        int to = token.Length;
        for (int i = 0; i < stop && token.AsSpan(from, to - from).EndsWith(content, StringComparison.Ordinal); i++)
        {
            to -= content.Length;
        }

        return token[from..to];
    }
}
