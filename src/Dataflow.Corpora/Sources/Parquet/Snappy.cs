namespace Dataflow.Corpora;

/// <summary>
/// Decompresses Snappy straight to where it belongs: the library that does it too does it elsewhere and copies, which takes a page's memory
/// once more.
/// </summary>
/// <remarks>https://github.com/google/snappy/blob/main/format_description.txt</remarks>
internal static class Snappy
{
    private const int LongLiteral = 60;

    /// <summary>Fills <paramref name="target"/> and says how much of it; -1 for bytes that mean nothing or another length.</summary>
    public static int Decompress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (!Length(ref source, out int length) || length != target.Length) return -1;
        int at = 0;
        while (source.Length > 0)
        {
            int tag = source[0], kind = tag & 3;
            int extra = kind == 0 ? Math.Max(0, (tag >> 2) - LongLiteral + 1) : kind == 3 ? sizeof(int) : kind;
            if (source.Length <= extra) return -1;
            long number = 0;
            for (int i = 0; i < extra; i++) number |= (long)source[1 + i] << (8 * i);
            source = source[(1 + extra)..];
            long count = kind == 1 ? ((tag >> 2) & 7) + 4 : kind == 0 && extra > 0 ? number + 1 : (tag >> 2) + 1;
            if (count > target.Length - at) return -1;
            if (kind == 0)
            {
                if (count > source.Length) return -1;
                source[..(int)count].CopyTo(target[at..]);
                source = source[(int)count..];
            }
            else
            {
                long back = kind == 1 ? number | ((long)(tag >> 5) << 8) : number;
                if (back == 0 || back > at) return -1;
                Repeat(target.Slice(at - (int)back, (int)(back + count)), (int)back);
            }

            at += (int)count;
        }

        return at;
    }

    /// <summary>Fills the rest of a stretch with its beginning, again and again.</summary>
    private static void Repeat(Span<byte> stretch, int period)
    {
        for (int done = period; done < stretch.Length;)
        {
            int count = Math.Min(done, stretch.Length - done);
            stretch[..count].CopyTo(stretch[done..]);
            done += count;
        }
    }

    private static bool Length(ref ReadOnlySpan<byte> source, out int length)
    {
        ulong value = 0;
        for (int i = 0; i < 5 && i < source.Length; i++)
        {
            value |= (ulong)(source[i] & 0x7F) << (7 * i);
            if (source[i] >= 0x80) continue;
            source = source[(i + 1)..];
            length = (int)value;
            return value <= int.MaxValue;
        }

        length = 0;
        return false;
    }
}
