using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>A shard, mapped into memory: what is read of it stays where the system keeps files.</summary>
internal sealed unsafe class ShardFile : IDisposable
{
    private readonly MemoryMappedFile file;
    private readonly MemoryMappedViewAccessor view;
    private readonly byte* start;

    private ShardFile(MemoryMappedFile file, MemoryMappedViewAccessor view, ShardHeader header)
    {
        (this.file, this.view, Header) = (file, view, header);
        byte* address = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref address);
        start = address + view.PointerOffset;
    }

    /// <summary>What it says of itself.</summary>
    public ShardHeader Header { get; }

    /// <summary>Its documents' first tokens, and behind them the number of tokens.</summary>
    public ReadOnlySpan<uint> Offsets => new(start + Header.OffsetsStart, Header.Documents + 1);

    /// <summary>Opens a shard and checks that it is whole.</summary>
    /// <exception cref="UserErrorException">It cannot be read, or is none.</exception>
    public static ShardFile Open(string path)
    {
        MemoryMappedFile? file = null;
        MemoryMappedViewAccessor? view = null;
        try
        {
            ShardHeader header;
            using (var opened = ReadOnlyFile.Open(path))
            {
                byte[] head = new byte[(int)Math.Min(ShardHeader.DataStart, opened.Length)];
                opened.Read(0, head);
                header = ShardHeader.Read(path, head, opened.Length);
            }

            file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            view = file.CreateViewAccessor(0, header.FileLength, MemoryMappedFileAccess.Read);
            var shard = new ShardFile(file, view, header);
            CheckOffsets(path, shard);
            return shard;
        }
        catch (Exception e)
        {
            view?.Dispose();
            file?.Dispose();
            throw FileErrors.IsFileError(e) ? FileErrors.Unreadable(path, e) : e;
        }
    }

    /// <summary>Copies ids.</summary>
    public void Read(long first, Span<int> ids)
    {
        if (Header.IdBytes == sizeof(ushort))
        {
            var narrow = new ReadOnlySpan<ushort>(start + ShardHeader.DataStart + (first * sizeof(ushort)), ids.Length);
            for (int i = 0; i < ids.Length; i++)
            {
                ids[i] = narrow[i];
            }
        }
        else
        {
            new ReadOnlySpan<int>(start + ShardHeader.DataStart + (first * sizeof(int)), ids.Length).CopyTo(ids);
        }
    }

    /// <summary>Copies weights.</summary>
    public void ReadWeights(long first, Span<byte> weights) =>
        new ReadOnlySpan<byte>(start + Header.WeightsStart + first, weights.Length).CopyTo(weights);

    /// <summary>Whether what it holds is what was written.</summary>
    public bool IsIntact()
    {
        var hash = new System.IO.Hashing.XxHash128();
        hash.Append((Header with { Checksum = "" }).Write());
        for (long at = ShardHeader.DataStart; at < Header.FileLength;)
        {
            int some = (int)Math.Min(1 << 24, Header.FileLength - at);
            hash.Append(new ReadOnlySpan<byte>(start + at, some));
            at += some;
        }

        return Convert.ToHexStringLower(hash.GetCurrentHash()) == Header.Checksum;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        view.SafeMemoryMappedViewHandle.ReleasePointer();
        view.Dispose();
        file.Dispose();
    }

    // What they say is where memory is read.
    private static void CheckOffsets(string path, ShardFile shard)
    {
        var offsets = shard.Offsets;
        uint before = 0;
        foreach (uint offset in offsets)
        {
            if (offset < before || offset > shard.Header.Tokens)
            {
                throw new UserErrorException($"{path} is damaged: the offsets of its documents do not ascend; tokenize anew");
            }

            before = offset;
        }

        if (offsets[0] != 0 || offsets[^1] != shard.Header.Tokens)
        {
            throw new UserErrorException($"{path} is damaged: its documents do not sum to its tokens; tokenize anew");
        }
    }
}
