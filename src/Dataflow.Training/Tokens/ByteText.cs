using System.Text;
using System.Text.Unicode;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// A UTF-8 text file whose bytes are the token ids, in rows of seqlen + 1; a row may begin inside a character. The file stays open
/// until disposal and is never in memory as a whole.
/// </summary>
public sealed class ByteText : ITokenSource, IDisposable
{
    /// <summary>A vocabulary must have an id for every byte.</summary>
    public const int VocabSize = 256;

    private const int BlockBytes = 1 << 18;
    private const int StackBytes = 1 << 12;

    // One in so many bytes.
    private const int MostZeros = 8;

    private readonly ReadOnlyFile _file;
    private readonly RowFile _rows;

    private ByteText(ReadOnlyFile file, RowFile rows) => (_file, _rows) = (file, rows);

    /// <inheritdoc/>
    public int RowCount => _rows.Count;

    /// <inheritdoc/>
    public int RowLength => _rows.Length;

    /// <inheritdoc/>
    public long LeftOver => _rows.LeftOver;

    /// <summary>Opens a file and checks that all of it is UTF-8.</summary>
    /// <param name="path">The file.</param>
    /// <param name="seqlen">Inputs of a row, at least 1.</param>
    /// <param name="vocabSize">Of the model: at least 256.</param>
    /// <param name="last">What becomes of bytes at the end that do not fill a row.</param>
    /// <exception cref="UserErrorException">Not readable, too short, no text in UTF-8, or a vocabulary without an id for each
    /// byte.</exception>
    public static ByteText Open(string path, int seqlen, int vocabSize, LastRow last = LastRow.Whole)
    {
        var file = ReadOnlyFile.Open(path);
        try
        {
            if (vocabSize < VocabSize)
            {
                throw new UserErrorException(
                    $"{path} is read as bytes, which needs a vocabulary of at least {VocabSize} ids, and the model has {vocabSize}"
                );
            }

            var rows = RowFile.Of(path, file.Length, seqlen, last);
            CheckText(file);
            return new ByteText(file, rows);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public int InputsOf(int row) => _rows.TokensOf(row) - 1;

    /// <inheritdoc/>
    public void Read(int row, Span<int> destination)
    {
        _rows.Check(row, destination);
        Span<byte> bytes = stackalloc byte[StackBytes];
        long position = row * (long)RowLength;
        int count = _rows.TokensOf(row);
        destination[count..].Clear();
        destination = destination[..count];
        while (destination.Length > 0)
        {
            var piece = bytes[..Math.Min(StackBytes, destination.Length)];
            _file.Read(position, piece);
            for (int i = 0; i < piece.Length; i++)
            {
                destination[i] = piece[i];
            }

            position += piece.Length;
            destination = destination[piece.Length..];
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<int>? Documents(int row) => null;

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static void CheckText(ReadOnlyFile file)
    {
        byte[] block = new byte[(int)Math.Min(file.Length, BlockBytes)];
        long first = 0, zeros = 0;
        while (first < file.Length)
        {
            var bytes = block.AsSpan(0, (int)Math.Min(block.Length, file.Length - first));
            file.Read(first, bytes);
            zeros += bytes.Count((byte)0);
            bool last = first + bytes.Length == file.Length;
            // A character may go on in the next block: what is left of it is read again there.
            int whole = last ? bytes.Length : bytes.Length - UnfinishedTail(bytes);
            if (!Utf8.IsValid(bytes[..whole]))
            {
                int at = FirstFault(bytes[..whole]);
                throw new UserErrorException(
                    $"{file.Path} is not UTF-8 text: byte {first + at} (0x{bytes[at]:X2}) fits no character; convert it, or give a token "
                        + $"file (.bin)"
                );
            }

            first += whole;
        }

        // Small numbers and UTF-16 are valid UTF-8, too.
        if (zeros > file.Length / MostZeros)
        {
            throw new UserErrorException(
                $"{file.Path} is not UTF-8 text: {zeros} of its {file.Length} bytes are 0, as in token ids or UTF-16; give token ids with "
                    + $"--tokens, or convert the text"
            );
        }
    }

    private static int UnfinishedTail(ReadOnlySpan<byte> bytes)
    {
        for (int length = 1; length <= Math.Min(3, bytes.Length); length++)
        {
            if (Rune.DecodeFromUtf8(bytes[^length..], out _, out _) == System.Buffers.OperationStatus.NeedMoreData)
            {
                return length;
            }
        }

        return 0;
    }

    private static int FirstFault(ReadOnlySpan<byte> bytes)
    {
        int at = 0;
        while (Rune.DecodeFromUtf8(bytes[at..], out _, out int length) == System.Buffers.OperationStatus.Done)
        {
            at += length;
        }

        return at;
    }
}
