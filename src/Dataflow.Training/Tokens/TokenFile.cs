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

    private readonly ReadOnlyFile _file;
    private readonly RowFile _rows;
    private readonly int _vocabSize;
    private readonly DocumentLengths? _documents;
    private readonly LossMask? _mask;

    private TokenFile(ReadOnlyFile file, RowFile rows, int vocabSize, DocumentLengths? documents, LossMask? mask) =>
        (_file, _rows, _vocabSize, _documents, _mask) = (file, rows, vocabSize, documents, mask);

    /// <inheritdoc/>
    public int RowCount => _rows.Count;

    /// <inheritdoc/>
    public int RowLength => _rows.Length;

    /// <inheritdoc/>
    public long LeftOver => _rows.LeftOver;

    /// <summary>As the user gave it.</summary>
    public string Path => _file.Path;

    /// <summary>Of all rows.</summary>
    public int LargestId { get; private init; }

    /// <summary>Tokens of all rows.</summary>
    public long TokenCount => _rows.Tokens;

    /// <summary>Where the lengths of its documents are from; null if it has none.</summary>
    public string? DocumentsPath => _documents?.Path;

    /// <summary>What says which of its targets count; null if all do.</summary>
    public string? MaskPath => _mask?.Path;

    /// <summary>Opens a file and checks every id of its rows against the vocabulary.</summary>
    /// <param name="path">The file.</param>
    /// <param name="seqlen">Inputs of a row, at least 1.</param>
    /// <param name="vocabSize">Ids are below it.</param>
    /// <param name="last">What becomes of tokens at the end that do not fill a row.</param>
    /// <exception cref="UserErrorException">
    /// Not readable, too short, an id that is too large, numbers of another width, or documents or a mask that do not fit the rows.
    /// </exception>
    public static TokenFile Open(string path, int seqlen, int vocabSize, LastRow last = LastRow.Whole)
    {
        var file = ReadOnlyFile.Open(path);
        LossMask? mask = null;
        try
        {
            TokenIds.CheckKind(file);
            long tokens = file.Length / IdBytes;
            var documents = Companions.Beside(path, DocumentLengths.FileName) is { } lengths
                ? DocumentLengths.Load(lengths, tokens, seqlen)
                : null;
            mask = Companions.Beside(path, LossMask.FileName) is { } counts ? LossMask.Open(counts, tokens, seqlen) : null;

            // Where the documents of the tokens at the end are not known, they could not be told apart.
            var rows = RowFile.Of(
                path,
                tokens,
                seqlen,
                documents is null || documents.RowCount * (seqlen + 1L) > tokens ? last : LastRow.Whole
            );
            return new TokenFile(file, rows, vocabSize, documents, mask) { LargestId = TokenIds.Largest(file, rows.Tokens, vocabSize) };
        }
        catch
        {
            mask?.Dispose();
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
        long first = row * (long)RowLength;
        var tokens = destination[.._rows.TokensOf(row)];
        _file.Read(first * IdBytes, MemoryMarshal.AsBytes(tokens));

        // Checked again because a kernel would read outside the embedding table if the file had changed since it was opened.
        TokenIds.Check(_file.Path, tokens, first, _vocabSize);
        destination[tokens.Length..].Clear();
    }

    /// <inheritdoc/>
    public IReadOnlyList<int>? Documents(int row) => _documents?.Of(row);

    /// <inheritdoc/>
    public bool ReadMask(int row, Span<byte> counts)
    {
        _mask?.Read(row, counts);
        return _mask is not null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _file.Dispose();
        _mask?.Dispose();
    }
}
