namespace Dataflow.Corpora;

/// <summary>Integers as differences, in blocks of packed bits.</summary>
internal sealed class DeltaIntegers
{
    private const int MostMiniblocks = 1 << 16;

    private readonly byte[] _bytes;
    private readonly int _end;
    private readonly int _miniblocks;
    private readonly int _perMiniblock;
    private byte[] _widths = [];
    private long _value;
    private long _least;
    private int _miniblock;
    private int _inMiniblock;
    private long _taken;

    /// <summary>Begins to read.</summary>
    /// <param name="bytes">What holds them.</param>
    /// <param name="start">Where they begin.</param>
    /// <param name="end">Where the page ends.</param>
    /// <param name="most">How many there may be.</param>
    public DeltaIntegers(byte[] bytes, int start, int end, int most)
    {
        (_bytes, _end, At) = (bytes, end, start);
        ulong block = Unsigned(), miniblocks = Unsigned(), count = Unsigned();
        bool isSound = miniblocks is > 0 and <= MostMiniblocks && block is > 0 and <= int.MaxValue && block % miniblocks == 0
            && block / miniblocks % 8 == 0 && count <= (ulong)most;
        if (!isSound) throw ThriftReader.Senseless();
        (_miniblocks, _perMiniblock, Count) = ((int)miniblocks, (int)(block / miniblocks), (int)count);
        (_miniblock, _inMiniblock) = (_miniblocks - 1, _perMiniblock);
        _value = Signed();
    }

    /// <summary>How many there are.</summary>
    public int Count { get; }

    /// <summary>Where the miniblock begins that is being read; after the last value, what follows.</summary>
    public int At { get; private set; }

    /// <summary>The next one.</summary>
    public long Next()
    {
        if (_taken == Count) throw Short();
        if (_taken++ == 0) return _value;
        if (_inMiniblock == _perMiniblock) BeginMiniblock();
        int width = _widths[_miniblock];
        ulong delta = Bits((_inMiniblock++ * (long)width) + (At * 8L), width);
        return _value = unchecked(_value + _least + (long)delta);
    }

    /// <summary>All of them, small and not negative; what follows is then <see cref="Behind"/>.</summary>
    public int[] AllLengths()
    {
        var lengths = new int[Count];
        for (int i = 0; i < Count; i++) lengths[i] = Next() is var length and >= 0 and <= int.MaxValue ? (int)length
            : throw ThriftReader.Senseless();
        return lengths;
    }

    /// <summary>Where what follows begins, when all were read: the last miniblock is written whole.</summary>
    public int Behind => Count <= 1 ? At : (int)Math.Min(_end, At + (_perMiniblock / 8L * _widths[_miniblock]));

    private void BeginMiniblock()
    {
        if (_widths.Length > 0) At = Behind;
        _inMiniblock = 0;
        if (++_miniblock < _miniblocks) return;
        _miniblock = 0;
        _least = Signed();
        if (_miniblocks > _end - At) throw Short();
        _widths = _bytes[At..(At + _miniblocks)];
        At += _miniblocks;
        if (_widths.Any(w => w > 64)) throw ThriftReader.Senseless();
    }

    private ulong Bits(long bit, int width)
    {
        if (bit + width > _end * 8L) throw Short();
        ulong value = 0;
        for (int got = 0; got < width;)
        {
            int inByte = (int)(bit & 7), count = Math.Min(8 - inByte, width - got);
            value |= ((ulong)(_bytes[bit >> 3] >> inByte) & ((1UL << count) - 1)) << got;
            (got, bit) = (got + count, bit + count);
        }

        return value;
    }

    private long Signed() => Unsigned() is var value ? (long)(value >> 1) ^ -(long)(value & 1) : 0;

    private ulong Unsigned()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            if (At >= _end) throw Short();
            byte part = _bytes[At++];
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80) return value;
        }

        throw ThriftReader.Senseless();
    }

    private static InvalidDataException Short() => new("a page ends before its values do");
}

/// <summary>Integers as differences.</summary>
internal sealed class DeltaNumbers(DeltaIntegers integers, ParquetType type) : ValueReader
{
    /// <inheritdoc/>
    public override ParquetValue Next() => ParquetValue.Of(type == ParquetType.Int32 ? unchecked((int)integers.Next()) : integers.Next());
}

/// <summary>Texts one after the other, behind the lengths of all.</summary>
internal sealed class DeltaLengthTexts : ValueReader
{
    private readonly byte[] _bytes;
    private readonly int[] _lengths;
    private readonly int _end;
    private int _at;
    private int _next;

    /// <summary>Begins to read.</summary>
    public DeltaLengthTexts(byte[] bytes, int start, int end, int most)
    {
        var lengths = new DeltaIntegers(bytes, start, end, most);
        (_bytes, _lengths, _end, _at) = (bytes, lengths.AllLengths(), end, lengths.Behind);
    }

    /// <inheritdoc/>
    public override ParquetValue Next()
    {
        if (_next == _lengths.Length || _lengths[_next] > _end - _at) throw Short();
        int length = _lengths[_next++];
        _at += length;
        return new ParquetValue(_bytes, _at - length, length, 0);
    }
}

/// <summary>Texts that begin as the one before does, and go on with one of their own.</summary>
internal sealed class DeltaTexts : ValueReader
{
    private const long HarmlessBytes = 64L << 20;
    private const int MostRatio = 250;

    private readonly int[] _shared;
    private readonly DeltaLengthTexts _rest;
    private readonly long _mostBytes;
    private byte[] _last = [];
    private int _next;
    private long _made;

    /// <summary>Begins to read.</summary>
    public DeltaTexts(byte[] bytes, int start, int end, int most)
    {
        var shared = new DeltaIntegers(bytes, start, end, most);
        _shared = shared.AllLengths();
        _rest = new DeltaLengthTexts(bytes, shared.Behind, end, most);
        _mostBytes = HarmlessBytes + (MostRatio * (long)(end - start));
    }

    /// <inheritdoc/>
    public override ParquetValue Next()
    {
        if (_next == _shared.Length) throw Short();
        int shared = _shared[_next++];
        ParquetValue rest = _rest.Next();
        _made += shared + (long)rest.Length;
        if (shared > _last.Length || _made > _mostBytes) throw ThriftReader.Senseless();
        _last = [.. _last.AsSpan(0, shared), .. rest.Span];
        return new ParquetValue(_last, 0, _last.Length, 0);
    }
}
