using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>A file with an object of JSON a line. Lines of white space are passed over.</summary>
internal static class JsonLines
{
    /// <summary>Bytes of a record, at most.</summary>
    internal const int MostBytes = 16 << 20;

    /// <summary>The documents from a position on.</summary>
    public static IEnumerable<Passage> Read(SourceBytes source, DocumentRecords records)
    {
        ByteWindow window = source.Window;
        long line = window.SkipTo(source.From) + 1;
        window.DropMark();
        for (; window.Content.Length > 0 || window.Fill(); line++)
        {
            var place = new PassagePlace(window.Path, "line", line);
            int feed = window.FindLineFeed(0, MostBytes);
            if (feed < 0) throw TooLong(place);
            int after = Math.Min(feed + 1, window.Content.Length);
            bool blank = window.Content[..feed].IndexOfAnyExcept(" \t\r"u8) < 0;
            Passage? passage = blank ? null
                : records.Read(window.Content[..feed], place, new SourcePosition(source.File, window.Position + after));
            window.Advance(after);
            if (passage is not null) yield return passage;
        }
    }

    /// <summary>What a record is refused with that is longer than it may be.</summary>
    internal static UserErrorException TooLong(PassagePlace place) =>
        new($"{place} has more than {MostBytes >> 20} MiB, the most that a record may have; break it up");
}
