using System.IO.Hashing;
using System.Runtime.InteropServices;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>Tokens on their way into a shard: they are held until it is full.</summary>
internal sealed class ShardBuilder(EncodingRules rules, DocumentKind kind, int shardTokens)
{
    private const int PieceBytes = 1 << 20;
    private readonly int idBytes = rules.Tokenizer.IdCount <= ushort.MaxValue + 1 ? sizeof(ushort) : sizeof(uint);
    // As large as a shard becomes, so that they need not be copied while they grow: memory that is not written to is not taken.
    private readonly List<int> ids = new(shardTokens + PieceBytes);
    private readonly List<byte> weights = new(kind == DocumentKind.Text ? 0 : shardTokens + PieceBytes);
    private readonly List<uint> offsets = [];
    private bool continues;
    private bool isOpen;

    /// <summary>Tokens so far.</summary>
    public int Tokens => ids.Count;

    /// <summary>Goes on behind a shard that was written before.</summary>
    public void GoOn(ShardEntry last) => (continues, isOpen) = (last.GoesOn, false);

    /// <summary>Adds a passage.</summary>
    public void Add(in EncodedPassage passage)
    {
        if (!isOpen)
        {
            offsets.Add((uint)ids.Count);
        }

        ids.AddRange(passage.Ids);
        if (passage.Weights is { } mine)
        {
            weights.AddRange(mine);
        }

        isOpen = !passage.Source.Ends;
    }

    /// <summary>Writes the shard, and begins the next.</summary>
    public ShardEntry Write(string folder, string name)
    {
        var header = new ShardHeader
        {
            IdBytes = idBytes,
            Tokens = ids.Count,
            Documents = offsets.Count,
            Continues = continues,
            HasWeights = weights.Count > 0,
            Kind = kind,
            IdCount = rules.Tokenizer.IdCount,
            Tokenizer = rules.TokenizerHash,
            End = rules.End,
            Checksum = "",
        };
        offsets.Add((uint)ids.Count);
        var hash = new XxHash128();
        hash.Append(header.Write());
        Content(header, hash.Append);
        header = header with { Checksum = Convert.ToHexStringLower(hash.GetCurrentHash()) };
        using (var file = AtomicFile.Create(Path.Combine(folder, name), new(header.FileLength)))
        {
            file.Write(header.Write());
            Content(header, file.Write);
            file.Commit();
        }

        var entry = new ShardEntry(name, header.Tokens, header.Documents, isOpen, header.Checksum);
        ids.Clear();
        weights.Clear();
        offsets.Clear();
        (continues, isOpen) = (isOpen, false);
        return entry;
    }

    private void Content(ShardHeader header, Writer write)
    {
        var all = CollectionsMarshal.AsSpan(ids);
        if (idBytes == sizeof(uint))
        {
            Pieces(MemoryMarshal.AsBytes(all), write);
        }
        else
        {
            ushort[] narrow = new ushort[PieceBytes];
            for (int first = 0; first < all.Length; first += narrow.Length)
            {
                int some = Math.Min(narrow.Length, all.Length - first);
                for (int i = 0; i < some; i++)
                {
                    narrow[i] = (ushort)all[first + i];
                }

                write(MemoryMarshal.AsBytes(narrow.AsSpan(0, some)));
            }
        }

        Span<byte> gap = stackalloc byte[8];
        gap.Clear();
        write(gap[..(int)(header.OffsetsStart - ShardHeader.DataStart - ((long)header.Tokens * idBytes))]);
        Pieces(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(offsets)), write);
        Pieces(CollectionsMarshal.AsSpan(weights), write);
    }

    private static void Pieces(ReadOnlySpan<byte> bytes, Writer write)
    {
        for (; bytes.Length > 0; bytes = bytes[Math.Min(PieceBytes, bytes.Length)..])
        {
            write(bytes[..Math.Min(PieceBytes, bytes.Length)]);
        }
    }

    private delegate void Writer(ReadOnlySpan<byte> bytes);
}
