using System.Globalization;
using System.Text;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The characters that stand for bytes as these bytes, and all of them as one text; each longest invalid part shows as U+FFFD. A token
/// with any other character in it is its own UTF-8.
/// </summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Apply(List<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (string token in tokens)
        {
            AddBytes(token, bytes);
        }

        return [Encoding.UTF8.GetString([.. bytes])];
    }

    private static void AddBytes(string token, List<byte> bytes)
    {
        if (token.AsSpan().ContainsAnyExcept(Alphabet))
        {
            bytes.AddRange(Encoding.UTF8.GetBytes(token));
            return;
        }

        foreach (char unit in token)
        {
            bytes.Add((byte)ByteAlphabet.ByteOf(unit));
        }
    }

    private static readonly System.Buffers.SearchValues<char> Alphabet = System.Buffers.SearchValues.Create([.. ByteAlphabet.InOrder]);
}

/// <summary>Runs of tokens like &lt;0x41&gt; as the text of their bytes; a run that is no valid UTF-8 shows as one U+FFFD a byte.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    private static readonly UTF8Encoding s_strict = new(false, true);

    /// <summary>The byte of a token; -1 for one that stands for none.</summary>
    public static int ByteOf(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2) is ['+', _] sign ? sign[1..] : token.AsSpan(3, 2),
            NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value) ? value : -1;

    /// <inheritdoc/>
    public override List<string> Apply(List<string> tokens)
    {
        var made = new List<string>(tokens.Count);
        var run = new List<byte>();
        foreach (string token in tokens)
        {
            if (ByteOf(token) is var value and >= 0)
            {
                run.Add((byte)value);
                continue;
            }

            Flush(run, made);
            made.Add(token);
        }

        Flush(run, made);
        return made;
    }

    private static void Flush(List<byte> run, List<string> made)
    {
        if (run.Count == 0)
        {
            return;
        }

        try
        {
            made.Add(s_strict.GetString([.. run]));
        }
        catch (DecoderFallbackException)
        {
            made.AddRange(Enumerable.Repeat("\uFFFD", run.Count));
        }

        run.Clear();
    }
}

/// <summary>Marks as spaces, and none in the first token where one was put before it.</summary>
internal sealed class MetaspaceDecoder(string mark, bool prepends) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Apply(List<string> tokens) =>
        [.. tokens.Select((t, i) => t.Replace(mark, i == 0 && prepends ? "" : " ", StringComparison.Ordinal))];
}

/// <summary>Ends of words as spaces.</summary>
internal sealed class SuffixDecoder(string suffix) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Apply(List<string> tokens) =>
        suffix.Length == 0 ? tokens
        : [.. tokens.Select((t, i) => t.Replace(suffix, i == tokens.Count - 1 ? "" : " ", StringComparison.Ordinal))];
}
