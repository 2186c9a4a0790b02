using System.Buffers;
using System.Text;
using System.Text.Unicode;
using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>
/// A text file that is one document, in pieces of about a Mi characters. It is cut only between a line feed that follows a character which
/// is not white space, and an ASCII letter: no tokenizer joins those, so that the pieces' tokens are the text's. Where it is cut depends
/// on nothing but where the piece begins.
/// </summary>
internal static class TextPieces
{
    /// <summary>Characters of a piece, at least, unless it is the last.</summary>
    internal const int Least = 1 << 20;

    /// <summary>Characters of a piece, at most.</summary>
    internal const int Most = 16 << 20;

    private const int BlockBytes = 1 << 14;

    /// <summary>The pieces from a position on.</summary>
    public static IEnumerable<Passage> Read(SourceBytes source, Findings findings)
    {
        ByteWindow window = source.Window;
        window.SkipTo(source.From);
        window.DropMark();
        bool begins = source.From == 0;
        long start = window.Position;
        var text = new Decoded();
        while (true)
        {
            int cut = NextCut(text, window);
            bool ends = cut < 0;
            int length = ends ? text.Length : cut;
            string content = new(text.Characters[..length]);
            long next = start + Encoding.UTF8.GetByteCount(content);
            var place = new PassagePlace(window.Path, "byte", start + 1);
            findings.Check(DocumentKind.Text, place, () => "texts, a file a document");
            yield return new Passage(DocumentKind.Text, content)
            {
                Begins = begins,
                Ends = ends,
                Place = place,
                Next = ends ? new SourcePosition(source.File + 1, 0) : new SourcePosition(source.File, next),
            };
            if (ends) yield break;
            text.Drop(length);
            (begins, start) = (false, next);
        }
    }

    /// <summary>Where the piece ends, once enough is decoded; -1 if the text ends with it.</summary>
    private static int NextCut(Decoded text, ByteWindow window)
    {
        int searched = Least - 1;
        while (true)
        {
            int cut = Cut(text.Characters, ref searched);
            if (cut >= 0 && cut <= Most) return cut;
            if (cut > Most || text.Length > Most + 1) throw NoPlace(text, window);
            if (!text.Add(window)) return text.Length <= Most ? -1 : throw NoPlace(text, window);
        }
    }

    private static int Cut(ReadOnlySpan<char> text, ref int searched)
    {
        while (searched < text.Length)
        {
            int feed = text[searched..].IndexOf('\n');
            if (feed < 0)
            {
                searched = text.Length;
                return -1;
            }

            feed += searched;
            if (feed + 1 >= text.Length)
            {
                searched = feed;
                return -1;
            }

            if (feed > 0 && !char.IsWhiteSpace(text[feed - 1]) && char.IsAsciiLetter(text[feed + 1])) return feed + 1;
            searched = feed + 1;
        }

        return -1;
    }

    private static UserErrorException NoPlace(Decoded text, ByteWindow window)
    {
        ReadOnlySpan<char> stretch = text.Characters[..Most];
        string ends = stretch.Contains("\r\n", StringComparison.Ordinal) ? " after one that ends with a line feed alone" : "";
        return new UserErrorException(
            $"{window.Path} has {Encoding.UTF8.GetByteCount(stretch)} bytes without a line that begins with a letter{ends}, "
                + "where it could be taken in pieces; give it as lines with --documents line, or break it up");
    }

    /// <summary>Characters that were decoded and not yet passed on.</summary>
    private sealed class Decoded
    {
        private char[] _characters = new char[2 * BlockBytes];

        public int Length { get; private set; }

        public ReadOnlySpan<char> Characters => _characters.AsSpan(0, Length);

        public void Drop(int count)
        {
            _characters.AsSpan(count, Length - count).CopyTo(_characters);
            Length -= count;
        }

        /// <summary>Decodes what is in the window; false at its end.</summary>
        public bool Add(ByteWindow window)
        {
            if (window.Content.Length == 0 && !window.Fill()) return false;
            while (true)
            {
                ReadOnlySpan<byte> bytes = window.Content[..Math.Min(window.Content.Length, BlockBytes)];
                if (_characters.Length - Length < BlockBytes)
                    Array.Resize(ref _characters, Math.Min(2 * _characters.Length, Most + (2 * BlockBytes)));
                OperationStatus status = Utf8.ToUtf16(
                    bytes, _characters.AsSpan(Length), out int read, out int written, replaceInvalidSequences: false, isFinalBlock: false);
                Length += written;
                if (status == OperationStatus.InvalidData || (read == 0 && status == OperationStatus.NeedMoreData && !window.Fill()))
                    throw new UserErrorException(
                        $"{window.Path}, byte {window.Position + read + 1}: 0x{bytes[read]:X2} is not UTF-8; "
                            + "convert the file, as with iconv");
                window.Advance(read);
                if (read > 0) return true;
            }
        }
    }
}
