namespace Dataflow.Corpora;

/// <summary>A text whose paragraphs are documents: lines between lines of nothing but spaces and tabs.</summary>
internal static class TextParagraphs
{
    /// <summary>The paragraphs from a position on, without the end of their last line.</summary>
    public static IEnumerable<Passage> Read(SourceBytes source, Findings findings)
    {
        ByteWindow window = source.Window;
        long line = window.SkipTo(source.From) + 1;
        window.DropMark();
        while (window.Content.Length > 0 || window.Fill())
        {
            var place = new PassagePlace(window.Path, "line", line);
            int length = FirstLine(window, place);
            if (IsBlank(window.Content[..length]))
            {
                window.Advance(Math.Min(length + 1, window.Content.Length));
                line++;
                continue;
            }

            (int end, int lines) = End(window, length, place);
            string text = TextLines.Decode(window.Content[..TextLines.WithoutReturn(window.Content[..end])], place);
            window.Advance(Math.Min(end + 1, window.Content.Length));
            line += lines;
            findings.Check(DocumentKind.Text, place, () => "texts, a paragraph a document");
            yield return new Passage(DocumentKind.Text, text) { Place = place, Next = source.Here };
        }
    }

    private static int FirstLine(ByteWindow window, PassagePlace place)
    {
        int feed = window.FindLineFeed(0, TextLines.MostBytes);
        return feed >= 0 ? feed : throw TextLines.TooLong(place);
    }

    /// <summary>Where the last line ends, and how many there are.</summary>
    /// <param name="window">The paragraph's beginning.</param>
    /// <param name="first">Where its first line ends.</param>
    /// <param name="place">Where it stands.</param>
    private static (int End, int Lines) End(ByteWindow window, int first, PassagePlace place)
    {
        int lines = 1;
        for (int end = first; ; lines++)
        {
            if (end + 1 >= window.Content.Length && !window.Fill()) return (end, lines);
            int next = window.FindLineFeed(end + 1, TextLines.MostBytes);
            if (next < 0) throw TextLines.TooLong(place);
            if (IsBlank(window.Content[(end + 1)..next])) return (end, lines);
            end = next;
        }
    }

    private static bool IsBlank(ReadOnlySpan<byte> line) => line.IndexOfAnyExcept(" \t\r\v\f"u8) < 0;
}
