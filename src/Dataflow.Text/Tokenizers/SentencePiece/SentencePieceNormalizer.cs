using System.Text;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// SentencePiece's own normalizer: of the texts that the map knows the longest goes first, user-defined pieces stay as they are, spaces
/// become marks, and those at the ends and in runs may go.
/// </summary>
internal sealed class SentencePieceNormalizer(SentencePieceFile file, SentencePieceVocabulary vocabulary)
{
    /// <summary>What stands for a space.</summary>
    public const char Mark = '\u2581';

    private readonly char space = file.MarksSpaces ? Mark : ' ';

    /// <summary>The normalized text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="places">Where in the text each of its UTF-16 units comes from, in code points, and where the last ends.</param>
    public string Apply(string text, List<int> places)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        var made = new StringBuilder(text.Length + 8);
        var at = default(Position);
        if (file.DropsSpaces)
        {
            while (at.Unit < text.Length && Prefix(text, bytes, at, out var next) == " ")
            {
                at = next;
            }
        }

        if (at.Unit == text.Length)
        {
            return "";
        }

        if (file.AddsSpace && !file.AddsSpaceAtEnd)
        {
            Add(space, at.CodePoint);
        }

        bool wasSpace = file.DropsSpaces;
        while (at.Unit < text.Length)
        {
            string prefix = Prefix(text, bytes, at, out var next);
            string kept = wasSpace ? prefix.TrimStart(' ') : prefix;
            foreach (char unit in kept)
            {
                Add(unit == ' ' ? space : unit, at.CodePoint);
            }

            wasSpace = file.DropsSpaces && (kept.Length > 0 ? kept[^1] == ' ' : wasSpace);
            at = next;
        }

        int consumed = at.CodePoint;
        while (file.DropsSpaces && made.Length > 0 && made[^1] == space)
        {
            consumed = places[^1];
            made.Length--;
            places.RemoveAt(places.Count - 1);
        }

        if (file.AddsSpace && file.AddsSpaceAtEnd)
        {
            Add(space, consumed);
        }

        places.Add(consumed);
        return made.ToString();

        void Add(char unit, int place)
        {
            made.Append(unit);
            places.Add(place);
        }
    }

    private string Prefix(string text, byte[] bytes, Position at, out Position next)
    {
        if (vocabulary.UserDefinedAt(text.AsSpan(at.Unit)) is var units and > 0)
        {
            next = at.After(text.AsSpan(at.Unit, units));
            return text.Substring(at.Unit, units);
        }

        int length = 0;
        ReadOnlySpan<byte> mapped = default;
        if (file.Map is not null)
        {
            length = file.Map.OfLongestPrefix(bytes.AsSpan(at.Byte), out mapped);
        }

        if (length == 0)
        {
            CodePoints.At(text, at.Unit, out int one);
            next = at.After(text.AsSpan(at.Unit, one));
            return text.Substring(at.Unit, one);
        }

        next = at.After(Encoding.UTF8.GetString(bytes, at.Byte, length));
        return Encoding.UTF8.GetString(mapped);
    }

    private readonly record struct Position(int Unit, int Byte, int CodePoint)
    {
        public Position After(ReadOnlySpan<char> text) =>
            new(Unit + text.Length, Byte + Encoding.UTF8.GetByteCount(text), CodePoint + CodePoints.CountOf(text));
    }
}
