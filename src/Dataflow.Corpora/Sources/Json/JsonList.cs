using System.Buffers;
using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>A file that is a list of objects of JSON, taken one by one; or one with an object a line.</summary>
internal static class JsonList
{
    private static readonly SearchValues<byte> Marks = SearchValues.Create("\"{}[]"u8);
    private static readonly SearchValues<byte> InString = SearchValues.Create("\"\\"u8);

    /// <summary>The documents from a position on.</summary>
    public static IEnumerable<Passage> Read(SourceBytes source, DocumentRecords records)
    {
        ByteWindow window = source.Window;
        window.DropMark();
        int first = Peek(window, out int at);
        return first switch
        {
            '[' => Elements(source, records, at + 1),
            '{' => JsonLines.Read(source, records),
            < 0 => [],
            _ => throw new UserErrorException(
                $"{window.Path} begins with {Shown(first)}; a .json file is a list of objects, or one object a line"),
        };
    }

    private static IEnumerable<Passage> Elements(SourceBytes source, DocumentRecords records, int opening)
    {
        ByteWindow window = source.Window;
        window.Advance(opening);
        for (long number = 1; ; number++)
        {
            var place = new PassagePlace(window.Path, "record", number);
            if (!Begin(window, place)) yield break;
            int length = Length(window, place);
            // Records before the position are gone through for their number, and not looked into.
            Passage? passage = window.Position + length <= source.From ? null
                : records.Read(window.Content[..length], place, new SourcePosition(source.File, window.Position + length));
            window.Advance(length);
            if (passage is not null) yield return passage;
        }
    }

    /// <summary>Goes to the next element; false if the list ends.</summary>
    private static bool Begin(ByteWindow window, PassagePlace place)
    {
        int mark = Take(window, place);
        if (mark == ']') return End(window, place);
        if (place.Number > 1)
        {
            if (mark != ',') throw new UserErrorException($"{place} is not parted from the one before by a comma");
            window.Advance(1);
            mark = Take(window, place);
        }

        if (mark != '{')
            throw new UserErrorException($"{place} begins with {Shown(mark)}; each must be an object, as in {{\"text\": \"...\"}}");
        return true;
    }

    private static bool End(ByteWindow window, PassagePlace place)
    {
        window.Advance(1);
        if (Peek(window, out _) >= 0) throw new UserErrorException(
            $"{window.Path} goes on after its list of {place.Number - 1} records has ended; "
                + "a .json file is one list, or one object a line");
        return false;
    }

    /// <summary>Goes to the next byte that is not white space.</summary>
    private static int Take(ByteWindow window, PassagePlace place)
    {
        int mark = Peek(window, out int at);
        if (mark < 0)
            throw new UserErrorException($"{window.Path} ends before its list does, at {place.Unit} {place.Number}: it is cut short");
        window.Advance(at);
        return mark;
    }

    /// <summary>The first byte that is not white space, and where it is; -1 at the end.</summary>
    private static int Peek(ByteWindow window, out int at)
    {
        while (true)
        {
            at = window.Content.IndexOfAnyExcept(" \t\r\n"u8);
            if (at >= 0) return window.Content[at];
            window.Advance(window.Content.Length);
            if (!window.Fill()) return -1;
        }
    }

    /// <summary>The bytes of the object at the beginning of the window, which is brought there whole.</summary>
    private static int Length(ByteWindow window, PassagePlace place)
    {
        int depth = 0;
        bool inString = false;
        for (int at = 0; ;)
        {
            ReadOnlySpan<byte> content = window.Content;
            int found = content[Math.Min(at, content.Length)..].IndexOfAny(inString ? InString : Marks);
            if (found < 0)
            {
                at = Math.Max(at, content.Length);
                if (at > JsonLines.MostBytes) throw JsonLines.TooLong(place);
                if (!window.Fill())
                    throw new UserErrorException($"{place} does not end before the file does: it is cut short, or a bracket is missing");
                continue;
            }

            at += found;
            byte mark = content[at++];
            if (at > JsonLines.MostBytes) throw JsonLines.TooLong(place);
            if (mark == (byte)'\\') at++;
            else if (mark == (byte)'"') inString = !inString;
            else depth += mark is (byte)'{' or (byte)'[' ? 1 : -1;
            if (depth == 0) return at;
        }
    }

    private static string Shown(int mark) => mark is > 32 and < 127 ? $"'{(char)mark}'" : $"byte 0x{mark:X2}";
}
