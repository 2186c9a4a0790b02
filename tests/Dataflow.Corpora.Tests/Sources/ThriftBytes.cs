using System.Buffers.Binary;
using System.Text;

namespace Dataflow.Corpora.Tests;

/// <summary>Writes Thrift's compact form, for Parquet files as no library here writes them.</summary>
internal sealed class ThriftBytes
{
    private readonly List<byte> _bytes = [];
    private readonly Stack<int> _last = new([0]);

    public byte[] Bytes => [.. _bytes];

    public ThriftBytes Number(int id, long value)
    {
        Header(id, ThriftType.Long);
        return Unsigned((ulong)((value << 1) ^ (value >> 63)));
    }

    public ThriftBytes Text(int id, string text)
    {
        Header(id, ThriftType.Binary);
        Unsigned((ulong)text.Length);
        _bytes.AddRange(Encoding.UTF8.GetBytes(text));
        return this;
    }

    public ThriftBytes Flag(int id, bool value)
    {
        Header(id, value ? ThriftType.True : ThriftType.False);
        return this;
    }

    public ThriftBytes Structure(int id, Action<ThriftBytes> fill)
    {
        Header(id, ThriftType.Struct);
        return Element(fill);
    }

    public ThriftBytes List(int id, params Action<ThriftBytes>[] elements)
    {
        Header(id, ThriftType.List);
        _bytes.Add((byte)(0xF0 | (int)ThriftType.Struct));
        Unsigned((ulong)elements.Length);
        foreach (Action<ThriftBytes> element in elements) Element(element);
        return this;
    }

    public ThriftBytes Raw(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public ThriftBytes End() => Raw(0);

    /// <summary>A file with one column, text, that is required and has one chunk.</summary>
    /// <param name="values">How many values it is said to have.</param>
    /// <param name="pages">Headers of pages with the bytes that follow each.</param>
    public static byte[] File(int values, params (ThriftBytes Header, byte[] Bytes)[] pages) => File("text", 0, values, values, pages);

    /// <summary>A file with one column that has one chunk.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="repetition">0 for a column that is required, 1 for one that may have nulls, 2 for one of lists.</param>
    /// <param name="values">How many values it is said to have.</param>
    /// <param name="rows">How many rows they are said to make.</param>
    /// <param name="pages">Headers of pages with the bytes that follow each.</param>
    public static byte[] File(string name, int repetition, int values, int rows, params (ThriftBytes Header, byte[] Bytes)[] pages)
    {
        byte[] body = [.. "PAR1"u8, .. pages.SelectMany(p => p.Header.End().Bytes.Concat(p.Bytes))];
        byte[] footer = new ThriftBytes().Number(1, 1).List(
            2, e => e.Text(4, "schema").Number(5, 1), e => e.Number(1, 6).Number(3, repetition).Text(4, name))
            .Number(3, values).List(
                4, g => g.List(1, c => c.Structure(3, m => m.Number(1, 6).Number(4, 0).Number(5, values).Number(9, 4))).Number(3, rows))
            .End().Bytes;
        return WithFooter(body, footer);
    }

    public static byte[] WithFooter(byte[] body, byte[] footer, uint? length = null)
    {
        byte[] count = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(count, length ?? (uint)footer.Length);
        return [.. body, .. footer, .. count, .. "PAR1"u8];
    }

    private ThriftBytes Element(Action<ThriftBytes> fill)
    {
        _last.Push(0);
        fill(this);
        _last.Pop();
        return End();
    }

    private void Header(int id, ThriftType type)
    {
        int last = _last.Pop();
        _last.Push(id);
        _bytes.Add((byte)(((id - last) << 4) | (int)type));
    }

    private ThriftBytes Unsigned(ulong value)
    {
        for (; value >= 0x80; value >>= 7) _bytes.Add((byte)(value | 0x80));
        _bytes.Add((byte)value);
        return this;
    }
}
