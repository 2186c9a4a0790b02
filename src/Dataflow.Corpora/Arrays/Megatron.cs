using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>
/// Megatron's indexed dataset: NAME.bin has the ids, NAME.idx says their type, the length and place of each sequence, and which sequences
/// are a document.
/// </summary>
internal static class Megatron
{
    private const int HeaderBytes = 9 + 8 + 1 + 8 + 8;

    private static ReadOnlySpan<byte> Magic => "MMIDIDX\0\0"u8;

    /// <summary>What the two files hold.</summary>
    /// <exception cref="UserErrorException">They do not fit each other, or hold no ids.</exception>
    public static ArrayLayout Read(ReadOnlyFile ids, string indexPath)
    {
        using var index = ReadOnlyFile.Open(indexPath);
        byte[] head = new byte[(int)Math.Min(HeaderBytes, index.Length)];
        index.Read(0, head);
        if (head.Length < HeaderBytes || !head.AsSpan().StartsWith(Magic))
        {
            throw new UserErrorException($"{indexPath} is no index of Megatron's; move it away to read {ids.Path} as raw numbers");
        }

        ulong version = BinaryPrimitives.ReadUInt64LittleEndian(head.AsSpan(9));
        var type = Type(head[17]) is { } known && version == 1 ? known
            : throw new UserErrorException(
                $"{indexPath} is of version {version} with the type code {head[17]}, and whole numbers of version 1 are read");
        long sequences = BinaryPrimitives.ReadInt64LittleEndian(head.AsSpan(18));
        long documents = BinaryPrimitives.ReadInt64LittleEndian(head.AsSpan(26));
        // Modes of a multimodal set may follow, a byte a sequence.
        long room = index.Length - HeaderBytes;
        if (sequences < 0 || documents < 1 || sequences > room / 12 || documents > room / 8
            || (sequences * 12) + (documents * 8) is var needed && room != needed && room != needed + sequences)
        {
            throw new UserErrorException(
                $"{indexPath} has {index.Length} bytes, and its header speaks of {sequences} sequences and {documents} borders of "
                    + $"documents: "
                    + "it was cut short");
        }

        int[] lengths = new int[sequences];
        long[] places = new long[sequences], borders = new long[documents];
        index.Read(HeaderBytes, MemoryMarshal.AsBytes(lengths.AsSpan()));
        index.Read(HeaderBytes + (sequences * 4), MemoryMarshal.AsBytes(places.AsSpan()));
        index.Read(HeaderBytes + (sequences * 12), MemoryMarshal.AsBytes(borders.AsSpan()));
        long[] ends = Ends(lengths, places, type) ?? throw new UserErrorException(
            $"{indexPath}: the sequences do not lie one behind the other; write the set anew");
        long tokens = ends.Length == 0 ? 0 : ends[^1];
        if (tokens * type.Size() != ids.Length)
        {
            throw new UserErrorException(
                $"{ids.Path} has {ids.Length} bytes, and {indexPath} speaks of {tokens} tokens of {type.Name()}: they do not belong "
                    + $"together, "
                    + "or one was cut short");
        }

        return new ArrayLayout("an indexed dataset of "
            + "Megatron", type, 0, tokens, Documents(borders, ends, indexPath)) { Companions = [indexPath] };
    }

    private static long[]? Ends(int[] lengths, long[] places, IdType type)
    {
        long[] ends = new long[lengths.Length];
        long at = 0;
        for (int i = 0; i < lengths.Length; i++)
        {
            if (lengths[i] < 0 || places[i] != at * type.Size())
            {
                return null;
            }

            ends[i] = at += lengths[i];
        }

        return ends;
    }

    private static long[] Documents(long[] borders, long[] ends, string indexPath)
    {
        bool ascend = borders[0] == 0 && borders[^1] == ends.Length;
        for (int i = 1; i < borders.Length; i++)
        {
            ascend &= borders[i] >= borders[i - 1];
        }

        return ascend
            ? [.. borders.Skip(1).Where(b => b > 0).Select(b => ends[b - 1])]
            : throw new UserErrorException($"{indexPath}: the borders of documents do not ascend to the {ends.Length} sequences");
    }

    private static IdType? Type(byte code) => code switch
    {
        1 => IdType.UInt8,
        4 => IdType.Int32,
        5 => IdType.Int64,
        8 => IdType.UInt16,
        _ => null,
    };
}
