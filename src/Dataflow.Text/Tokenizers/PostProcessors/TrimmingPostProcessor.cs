namespace Dataflow.Text.Tokenizers;

/// <summary>Leaves the white space at the ends of tokens out of their offsets.</summary>
/// <param name="trims">Whether it does.</param>
/// <param name="addedSpace">Whether one space at the beginning may be one that was added, which stands for nothing.</param>
internal sealed class TrimmingPostProcessor(bool trims, bool addedSpace) : PostProcessor
{
    /// <inheritdoc/>
    public override (IReadOnlyList<int> Before, IReadOnlyList<int> After)? Around => ([], []);

    /// <inheritdoc/>
    public override List<EncodedText> Apply(List<EncodedText> texts, bool addsSpecial)
    {
        if (trims)
        {
            foreach (var text in texts)
            {
                Trim(text, addedSpace);
            }
        }

        return texts;
    }

    /// <summary>Does so to one text.</summary>
    public static void Trim(EncodedText text, bool addedSpace)
    {
        for (int i = 0; i < text.Ids.Count; i++)
        {
            string token = text.Tokens[i];
            int leading = 0;
            while (leading < token.Length && IsSpace(token[leading]))
            {
                leading++;
            }

            int trailing = 0;
            while (trailing < token.Length && IsSpace(token[^(trailing + 1)]))
            {
                trailing++;
            }

            var (start, end) = text.Ranges[i];
            if (leading > 0)
            {
                bool isFirst = i == 0 || start == 0;
                start = Math.Min(start + (isFirst && addedSpace && leading == 1 ? 0 : leading), end);
            }

            if (trailing > 0 && end >= trailing)
            {
                end = Math.Max(end - trailing, start);
            }

            text.Ranges[i] = new(start, end);
        }
    }

    private static bool IsSpace(char unit) => unit == ByteAlphabet.Of((byte)' ') || char.IsWhiteSpace(unit);
}
