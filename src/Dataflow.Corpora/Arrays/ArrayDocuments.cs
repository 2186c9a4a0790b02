using System.Buffers;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>What a file of ids in another program's format holds, and where.</summary>
/// <param name="Format">Its name, for people.</param>
/// <param name="Type">Of its ids.</param>
/// <param name="Start">The byte at which they begin.</param>
/// <param name="Tokens">How many there are.</param>
/// <param name="Ends">Where documents end, in tokens, ascending to the number of tokens; null: it does not say.</param>
public sealed record ArrayLayout(string Format, IdType Type, long Start, long Tokens, long[]? Ends)
{
    /// <summary>A file with a byte a token, 0 where it is not trained; null: all are.</summary>
    public string? Loss { get; init; }

    /// <summary>Files besides the ids' own that say where documents are.</summary>
    public IReadOnlyList<string> Companions { get; init; } = [];
}

/// <summary>The documents of a file of ids, read where they lie.</summary>
public sealed class ArrayDocuments : ITokenizedDocuments
{
    private const int BlockIds = 1 << 18;

    private readonly ReadOnlyFile file;
    private readonly ReadOnlyFile? loss;
    private readonly ArrayLayout layout;

    private ArrayDocuments(ReadOnlyFile file, ReadOnlyFile? loss, ArrayLayout layout) =>
        (this.file, this.loss, this.layout) = (file, loss, layout);

    /// <inheritdoc/>
    public string Name => file.Path;

    /// <inheritdoc/>
    public DocumentKind Kind => DocumentKind.Text;

    /// <inheritdoc/>
    public int IdCount { get; private init; }

    /// <inheritdoc/>
    public bool HasWeights => loss is not null;

    /// <inheritdoc/>
    public string Fingerprint { get; private init; } = "";

    /// <summary>What was found, for people.</summary>
    public string Finding =>
        FormattableString.Invariant($"{layout.Format}, {layout.Type.Name()}, {layout.Tokens:N0} tokens")
            + (layout.Ends is { } ends ? FormattableString.Invariant($" in {ends.Length:N0} documents") : ", without document borders");

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file of ids.</param>
    /// <param name="layout">What it holds.</param>
    /// <exception cref="UserErrorException">It cannot be read, or holds no ids.</exception>
    public static ArrayDocuments Open(string path, ArrayLayout layout)
    {
        var file = ReadOnlyFile.Open(path);
        ReadOnlyFile? loss = null;
        try
        {
            loss = layout.Loss is { } mask ? ReadOnlyFile.Open(mask) : null;
            if (loss is not null && loss.Length != layout.Tokens)
            {
                throw new UserErrorException(
                    $"{loss.Path} has {loss.Length} bytes, and {path} has {layout.Tokens} tokens, a byte each: one of them is not whole");
            }

            string prints = string.Join(' ', new[] { path }.Concat(layout.Companions).Concat(layout.Loss is { } l ? [l] : [])
                .Select(f => DataFingerprint.Of(f).Text));
            return new ArrayDocuments(file, loss, layout) { IdCount = Largest(file, layout) + 1, Fingerprint = prints };
        }
        catch
        {
            loss?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public long Await(long documents) => layout.Ends?.Length ?? 1;

    /// <inheritdoc/>
    public long LengthOf(long document) => layout.Ends is { } ends ? ends[document] - Begin(document) : layout.Tokens;

    /// <inheritdoc/>
    public void Read(long document, long first, Span<int> ids)
    {
        int size = layout.Type.Size();
        byte[] bytes = ArrayPool<byte>.Shared.Rent(checked(ids.Length * size));
        try
        {
            var mine = bytes.AsSpan(0, ids.Length * size);
            file.Read(layout.Start + ((Begin(document) + first) * size), mine);
            layout.Type.Read(mine, ids);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <inheritdoc/>
    public void ReadWeights(long document, long first, Span<byte> weights)
    {
        loss!.Read(Begin(document) + first, weights);
        for (int i = 0; i < weights.Length; i++)
        {
            weights[i] = Math.Min(weights[i], (byte)1);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        file.Dispose();
        loss?.Dispose();
    }

    private long Begin(long document) => document == 0 || layout.Ends is null ? 0 : layout.Ends[document - 1];

    // All ids are looked at once, so that what is no id is refused before anything is trained.
    private static int Largest(ReadOnlyFile file, ArrayLayout layout)
    {
        int size = layout.Type.Size(), largest = -1;
        byte[] bytes = new byte[BlockIds * size];
        int[] ids = new int[BlockIds];
        for (long first = 0; first < layout.Tokens; first += BlockIds)
        {
            int some = (int)Math.Min(BlockIds, layout.Tokens - first);
            file.Read(layout.Start + (first * size), bytes.AsSpan(0, some * size));
            layout.Type.Read(bytes, ids.AsSpan(0, some));
            if (ids.AsSpan(0, some).IndexOf(-1) is var wrong && wrong >= 0)
            {
                throw new UserErrorException(
                    $"{file.Path}: token {first + wrong} is no id (it is negative or beyond {int.MaxValue}), read as {layout.Type.Name()}: "
                        + "name the type that it was written with by --id-type");
            }

            foreach (int id in ids.AsSpan(0, some))
            {
                largest = Math.Max(largest, id);
            }
        }

        return largest >= 0 ? largest : throw new UserErrorException($"{file.Path} has no tokens");
    }
}
