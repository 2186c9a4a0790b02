using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Token ids as raw little-endian 32-bit numbers, in rows of seqlen + 1. A documents.json in the same folder, if there is one, packs
/// documents into the rows. The file stays open until disposal and is never in memory as a whole.
/// </summary>
public sealed class TokenFile : ITokenSource, IDisposable
{
    private const int IdBytes = 4;
    private const int BlockIds = 1 << 18;

    private readonly ReadOnlyFile _file;
    private readonly int _vocabSize;
    private readonly DocumentLengths? _documents;

    private TokenFile(ReadOnlyFile file, int rowCount, int rowLength, int vocabSize, DocumentLengths? documents)
    {
        _file = file;
        _vocabSize = vocabSize;
        _documents = documents;
        RowCount = rowCount;
        RowLength = rowLength;
    }

    /// <inheritdoc/>
    public int RowCount { get; }

    /// <inheritdoc/>
    public int RowLength { get; }

    /// <summary>Opens a file and checks every id of its whole rows against the vocabulary.</summary>
    /// <param name="path">The file.</param>
    /// <param name="seqlen">Inputs of a row, at least 1.</param>
    /// <param name="vocabSize">Ids are below it.</param>
    /// <exception cref="UserErrorException">Not readable, too short, an id that is too large, or documents that do not fit the rows.</exception>
    public static TokenFile Open(string path, int seqlen, int vocabSize)
    {
        var file = ReadOnlyFile.Open(path);
        try
        {
            if (file.Length % IdBytes != 0)
            {
                throw new UserErrorException($"{path} has {file.Length} bytes, and token ids of {IdBytes} bytes each make a multiple of that: it is not a token file or was cut short");
            }

            int rows = RowFile.RowCount(path, file.Length / IdBytes, seqlen);
            CheckIds(file, rows * (seqlen + 1L), vocabSize);
            string documents = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, DocumentLengths.FileName);
            return new TokenFile(file, rows, seqlen + 1, vocabSize, Path.Exists(documents) ? DocumentLengths.Load(documents, rows, seqlen) : null);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Read(int row, Span<int> destination)
    {
        RowFile.Check(this, row, destination);
        long first = row * (long)RowLength;
        _file.Read(first * IdBytes, MemoryMarshal.AsBytes(destination));
        // Checked again because a kernel would read outside the embedding table if the file had changed since it was opened.
        Refuse(_file.Path, destination, first, _vocabSize);
    }

    /// <inheritdoc/>
    public IReadOnlyList<int>? Documents(int row) => _documents?.Of(row);

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static void CheckIds(ReadOnlyFile file, long count, int vocabSize)
    {
        int[] block = new int[Math.Min(count, BlockIds)];
        for (long first = 0; first < count; first += block.Length)
        {
            var ids = block.AsSpan(0, (int)Math.Min(block.Length, count - first));
            file.Read(first * IdBytes, MemoryMarshal.AsBytes(ids));
            Refuse(file.Path, ids, first, vocabSize);
        }
    }

    private static void Refuse(string path, ReadOnlySpan<int> ids, long first, int vocabSize)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)vocabSize)
            {
                throw new UserErrorException($"{path}: token {first + i} has id {(uint)ids[i]}, and the vocabulary has {vocabSize} ids (0 to {vocabSize - 1}); the file belongs to another tokenizer or is not a token file");
            }
        }
    }
}
