using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Tells 32-bit token ids of a vocabulary from what else a file may hold: other widths, arrays with a header, other vocabularies.
/// </summary>
internal static class TokenIds
{
    private const int IdBytes = 4;
    private const int BlockIds = 1 << 18;

    // Fewer numbers than that may have zeros at every second place by chance.
    private const int FewestToJudge = 16;

    private static ReadOnlySpan<byte> NumPyMagic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Refuses a file that cannot be raw 32-bit numbers.</summary>
    public static void CheckKind(ReadOnlyFile file)
    {
        byte[] head = new byte[(int)Math.Min(file.Length, NumPyMagic.Length)];
        file.Read(0, head);
        if (NumPyMagic.SequenceEqual(head))
        {
            throw new UserErrorException(
                $"{file.Path} is a NumPy array with a header, and raw 32-bit token ids are read: write them with "
                    + $"ids.astype('<i4').tofile('tokens.bin')"
            );
        }

        if (file.Length % IdBytes != 0)
        {
            throw new UserErrorException(
                $"{file.Path} has {file.Length} bytes, and token ids of {IdBytes} bytes each make a multiple of that: it is not a token "
                    + $"file or was cut short"
            );
        }
    }

    /// <summary>The largest of the first <paramref name="count"/> ids.</summary>
    /// <exception cref="UserErrorException">One is not of the vocabulary, or all are halves of 64-bit numbers.</exception>
    public static int Largest(ReadOnlyFile file, long count, int vocabSize)
    {
        int[] block = new int[Math.Min(count, BlockIds)];
        uint largest = 0, largestSecond = 0;
        string? fault = null;
        for (long first = 0; first < count; first += block.Length)
        {
            var ids = block.AsSpan(0, (int)Math.Min(block.Length, count - first));
            file.Read(first * IdBytes, MemoryMarshal.AsBytes(ids));
            for (int i = 0; i < ids.Length; i++)
            {
                largest = Math.Max(largest, (uint)ids[i]);
                largestSecond = (i & 1) == 0 ? largestSecond : Math.Max(largestSecond, (uint)ids[i]); // blocks have an even number of ids
            }

            fault ??= Fault(file.Path, ids, first, vocabSize);
        }

        if (count >= FewestToJudge && largestSecond == 0 && largest > 0)
        {
            throw new UserErrorException(
                $"{file.Path} holds 64-bit numbers, as every second 32-bit number is 0, and was to be read as 32-bit ids: say "
                    + "--id-type uint64"
            );
        }

        return fault is null ? (int)largest : throw new UserErrorException(fault);
    }

    /// <summary>Refuses ids that are not of the vocabulary.</summary>
    public static void Check(string path, ReadOnlySpan<int> ids, long first, int vocabSize)
    {
        if (Fault(path, ids, first, vocabSize) is { } fault)
        {
            throw new UserErrorException(fault);
        }
    }

    private static string? Fault(string path, ReadOnlySpan<int> ids, long first, int vocabSize)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)vocabSize)
            {
                string remedy = AreHalves(ids, vocabSize)
                    ? "as 16-bit numbers all would fit: say --id-type uint16"
                    : "the file belongs to another tokenizer or is not a token file";
                return $"{path}: token {first + i} has id {(uint)ids[i]}, and the vocabulary has {vocabSize} ids (0 to {vocabSize - 1}); "
                    + $"{remedy}";
            }
        }

        return null;
    }

    /// <summary>Whether the bytes are 16-bit ids of the vocabulary; where it has more than 16 bits, nothing can be told.</summary>
    private static bool AreHalves(ReadOnlySpan<int> ids, int vocabSize)
    {
        foreach (ushort half in MemoryMarshal.Cast<int, ushort>(ids))
        {
            if (half >= vocabSize)
            {
                return false;
            }
        }

        return vocabSize <= ushort.MaxValue && ids.Length >= FewestToJudge;
    }
}
