using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>A text whose lines are documents, empty ones too.</summary>
internal static class TextLines
{
    /// <summary>Characters of a document that is held as a whole, at most.</summary>
    internal const int Most = 16 << 20;

    /// <summary>Bytes that so many characters may be.</summary>
    internal const int MostBytes = 3 * Most;

    /// <summary>The lines from a position on.</summary>
    public static IEnumerable<Passage> Read(SourceBytes source, Findings findings)
    {
        ByteWindow window = source.Window;
        long line = window.SkipTo(source.From) + 1;
        window.DropMark();
        for (; window.Content.Length > 0 || window.Fill(); line++)
        {
            var place = new PassagePlace(window.Path, "line", line);
            int feed = window.FindLineFeed(0, MostBytes);
            string text = feed >= 0 ? Decode(window.Content[..WithoutReturn(window.Content[..feed])], place) : throw TooLong(place);
            window.Advance(Math.Min(feed + 1, window.Content.Length));
            findings.Check(DocumentKind.Text, place, () => "texts, a line a document");
            yield return new Passage(DocumentKind.Text, text) { Place = place, Next = source.Here };
        }
    }

    /// <summary>The text of a document.</summary>
    internal static string Decode(ReadOnlySpan<byte> bytes, PassagePlace place)
    {
        string text = Utf8Text.Decode(bytes, place);
        return text.Length <= Most ? text : throw TooLong(place);
    }

    /// <summary>The length of a line without the carriage return at its end.</summary>
    internal static int WithoutReturn(ReadOnlySpan<byte> line) => line is [.., (byte)'\r'] ? line.Length - 1 : line.Length;

    /// <summary>What a document is refused with that is longer than it may be.</summary>
    internal static UserErrorException TooLong(PassagePlace place) =>
        new($"{place} begins a document of more than {Most} characters; break it up");
}
