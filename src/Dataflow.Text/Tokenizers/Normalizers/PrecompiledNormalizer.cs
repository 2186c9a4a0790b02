using System.Globalization;
using System.Text;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The map of a SentencePiece normalizer as the Rust library applies it: to a short grapheme cluster as a whole, else to each of its
/// characters; and with its way of counting what came of how many, which offsets show.
/// </summary>
internal sealed class PrecompiledNormalizer(CharacterMap map) : TextNormalizer
{
    private const int LongCluster = 6;

    /// <inheritdoc/>
    public override void Apply(AlignedText text)
    {
        var changes = new List<Change>(text.Text.Length);
        bool isChanged = false;
        var rest = text.Text.AsSpan();
        while (rest.Length > 0)
        {
            int length = StringInfo.GetNextTextElementLength(rest);
            var cluster = rest[..length];
            rest = rest[length..];
            if (Encoding.UTF8.GetByteCount(cluster) < LongCluster && Map(cluster) is { } mapped)
            {
                isChanged = true;
                Add(changes, mapped, CodePoints.CountOf(cluster));
                continue;
            }

            foreach (var rune in cluster.EnumerateRunes())
            {
                if (Map(rune.ToString()) is { } one)
                {
                    isChanged = true;
                    Add(changes, one, 1);
                }
                else
                {
                    changes.Add(new(rune.Value, 0));
                }
            }
        }

        if (isChanged)
        {
            text.Transform(changes, 0);
        }
    }

    private string? Map(ReadOnlySpan<char> text)
    {
        Span<byte> bytes = stackalloc byte[16];
        return map.OfShortestPrefix(bytes[..Encoding.UTF8.GetBytes(text, bytes)]);
    }

    private static void Add(List<Change> changes, string mapped, int old)
    {
        int first = changes.Count;
        foreach (var rune in mapped.EnumerateRunes())
        {
            changes.Add(new(rune.Value, 0));
        }

        int difference = changes.Count - first - old;
        for (int i = changes.Count - difference; i < changes.Count; i++)
        {
            changes[i] = changes[i] with { Step = 1 };
        }

        if (difference < 0 && changes.Count > 0)
        {
            changes[^1] = changes[^1] with { Step = changes[^1].Step + difference };
        }
    }
}
