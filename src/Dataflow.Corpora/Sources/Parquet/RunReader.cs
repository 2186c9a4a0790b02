using System.Buffers.Binary;

namespace Dataflow.Corpora;

/// <summary>Small numbers as runs of one value and groups of packed bits: levels, and places in a dictionary.</summary>
/// <param name="bytes">What holds them.</param>
/// <param name="start">Where they begin.</param>
/// <param name="end">Where they end.</param>
/// <param name="width">Bits of a number.</param>
internal sealed class RunReader(byte[] bytes, int start, int end, int width)
{
    private const int MostWidth = 32;

    private readonly ulong _mask = width <= MostWidth ? (1UL << width) - 1 : throw ThriftReader.Senseless();
    private int _at = start;
    private long _left;
    private long _bit = -1;
    private int _value;

    /// <summary>Bits that numbers up to a highest one need.</summary>
    public static int Width(int highest) => 32 - int.LeadingZeroCount(highest);

    /// <summary>The next number.</summary>
    public int Next()
    {
        while (_left == 0) Begin();
        _left--;
        if (_bit < 0) return _value;
        int at = (int)(_bit >> 3);
        if (_bit + width > end * 8L) throw new InvalidDataException("a page ends before its values do");
        ulong bits = at + sizeof(ulong) <= end ? BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at)) : Rest(at);
        int value = (int)((bits >> (int)(_bit & 7)) & _mask);
        _bit += width;
        return value;
    }

    private void Begin()
    {
        uint header = Header();
        _left = header >> 1;
        if ((header & 1) == 1)
        {
            _left *= 8;
            _bit = _at * 8L;
            _at = (int)Math.Min(end, _at + (_left * width / 8));
            return;
        }

        _bit = -1;
        int count = (width + 7) / 8;
        if (_at + count > end) throw new InvalidDataException("a page ends before its values do");
        _value = 0;
        for (int i = 0; i < count; i++) _value |= bytes[_at++] << (8 * i);
    }

    private uint Header()
    {
        uint header = 0;
        for (int shift = 0; shift < 35; shift += 7)
        {
            if (_at >= end) throw new InvalidDataException("a page ends before its values do");
            byte part = bytes[_at++];
            header |= (uint)(part & 0x7F) << shift;
            if (part < 0x80) return header;
        }

        throw ThriftReader.Senseless();
    }

    private ulong Rest(int at)
    {
        ulong bits = 0;
        for (int i = 0; at + i < end; i++) bits |= (ulong)bytes[at + i] << (8 * i);
        return bits;
    }
}
