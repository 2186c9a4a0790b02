using System.Buffers.Binary;

namespace Dataflow.Corpora;

/// <summary>The values of a page that are not null, in order.</summary>
internal abstract class ValueReader
{
    /// <summary>The next one.</summary>
    /// <exception cref="InvalidDataException">The page has no more, or they are damaged.</exception>
    public abstract ParquetValue Next();

    /// <summary>What is thrown if a page has too few bytes.</summary>
    protected static InvalidDataException Short() => new("a page ends before its values do");
}

/// <summary>Values one after the other.</summary>
internal sealed class PlainValues(byte[] bytes, int start, int end, ParquetType type) : ValueReader
{
    private int _at = start;
    private int _bit;

    /// <inheritdoc/>
    public override ParquetValue Next()
    {
        switch (type)
        {
            case ParquetType.ByteArray:
                int length = BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)));
                Take(length);
                return new ParquetValue(bytes, _at - length, length, 0);
            case ParquetType.Int32: return ParquetValue.Of(BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int))));
            case ParquetType.Int64: return ParquetValue.Of(BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long))));
            case ParquetType.Double: return ParquetValue.Of(BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(double))));
            case ParquetType.Float:
                return ParquetValue.Of(BitConverter.DoubleToInt64Bits(BinaryPrimitives.ReadSingleLittleEndian(Take(sizeof(float)))));
            default:
                if (_bit == 0) Take(1);
                long value = (bytes[_at - 1] >> _bit) & 1;
                _bit = (_bit + 1) & 7;
                return ParquetValue.Of(value);
        }
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > end - _at) throw Short();
        _at += count;
        return bytes.AsSpan(_at - count, count);
    }
}

/// <summary>The dictionary of a leaf in a row group.</summary>
internal sealed class ParquetDictionary
{
    private readonly byte[] _bytes;
    private readonly ParquetType _type;
    private readonly int[] _starts = [];
    private readonly long[] _numbers = [];

    /// <summary>Reads a dictionary page.</summary>
    /// <param name="bytes">The page.</param>
    /// <param name="count">Its values.</param>
    /// <param name="type">How they are stored.</param>
    public ParquetDictionary(byte[] bytes, int count, ParquetType type)
    {
        (_bytes, _type) = (bytes, type);
        int least = type == ParquetType.Int64 || type == ParquetType.Double ? sizeof(long) : type == ParquetType.Boolean ? 1 : sizeof(int);
        if (count > bytes.Length / least) throw new InvalidDataException("its dictionary ends before its values do");
        var values = new PlainValues(bytes, 0, bytes.Length, type);
        if (type == ParquetType.ByteArray)
        {
            _starts = new int[count];
            for (int i = 0; i < count; i++) _starts[i] = values.Next().Start;
        }
        else
        {
            _numbers = new long[count];
            for (int i = 0; i < count; i++) _numbers[i] = values.Next().Bits;
        }
    }

    /// <summary>A value of it.</summary>
    public ParquetValue this[int index]
    {
        get
        {
            if ((uint)index >= (uint)(_starts.Length + _numbers.Length)) throw new InvalidDataException("a value is not in its dictionary");
            if (_type != ParquetType.ByteArray) return ParquetValue.Of(_numbers[index]);
            int start = _starts[index];
            return new ParquetValue(_bytes, start, BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(start - sizeof(int))), 0);
        }
    }
}

/// <summary>Values by their places in a dictionary.</summary>
internal sealed class DictionaryValues(ParquetDictionary dictionary, RunReader places) : ValueReader
{
    /// <inheritdoc/>
    public override ParquetValue Next() => dictionary[places.Next()];
}

/// <summary>True and false as runs.</summary>
internal sealed class RunValues(RunReader runs) : ValueReader
{
    /// <inheritdoc/>
    public override ParquetValue Next() => ParquetValue.Of(runs.Next());
}
