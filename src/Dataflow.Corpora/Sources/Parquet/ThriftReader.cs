namespace Dataflow.Corpora;

/// <summary>
/// Reads Thrift's compact form, in which Parquet writes what is not data. Whatever the bytes are, it ends: no list is longer than what is
/// left of them, and nothing is nested deeply.
/// </summary>
/// <param name="bytes">What is read, from the beginning.</param>
/// <remarks>https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md</remarks>
internal ref struct ThriftReader(ReadOnlySpan<byte> bytes)
{
    private const int MostNested = 24;

    private readonly ReadOnlySpan<byte> _bytes = bytes;

    /// <summary>Bytes that were read.</summary>
    public int Position { get; private set; }

    /// <summary>Reads the next field's number and type; false at the end of the structure.</summary>
    /// <param name="id">The number of the field before; of this one after.</param>
    /// <param name="type">Of this one.</param>
    public bool Field(ref int id, out ThriftType type)
    {
        int header = Byte();
        type = (ThriftType)(header & 15);
        if (header == 0) return false;
        id = header >> 4 == 0 ? (int)Integer() : id + (header >> 4);
        return true;
    }

    /// <summary>A number of 16, 32 or 64 bits.</summary>
    public long Integer()
    {
        ulong value = Unsigned();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>A number that has 32 bits.</summary>
    public int Small() => Integer() is var value and >= int.MinValue and <= int.MaxValue ? (int)value : throw Senseless();

    /// <summary>Bytes with their length.</summary>
    public ReadOnlySpan<byte> Binary()
    {
        ulong length = Unsigned();
        if (length > (ulong)(_bytes.Length - Position)) throw new EndOfStreamException();
        ReadOnlySpan<byte> value = _bytes.Slice(Position, (int)length);
        Position += (int)length;
        return value;
    }

    /// <summary>How many elements a list has that follow.</summary>
    public int List(out ThriftType type)
    {
        int header = Byte();
        type = (ThriftType)(header & 15);
        ulong count = header >> 4 == 15 ? Unsigned() : (ulong)(header >> 4);
        return count <= (ulong)(_bytes.Length - Position) ? (int)count : throw new EndOfStreamException();
    }

    /// <summary>Passes over a value.</summary>
    public void Skip(ThriftType type) => Skip(type, 0);

    /// <summary>What is thrown for bytes that mean nothing.</summary>
    public static InvalidDataException Senseless() => new("its metadata make no sense");

    private void Skip(ThriftType type, int depth)
    {
        if (depth > MostNested) throw Senseless();
        switch (type)
        {
            case ThriftType.True or ThriftType.False: break;
            case ThriftType.Byte: Byte(); break;
            case ThriftType.Short or ThriftType.Int or ThriftType.Long: Unsigned(); break;
            case ThriftType.Double: Pass(sizeof(double)); break;
            case ThriftType.Binary: Binary(); break;
            case ThriftType.List or ThriftType.Set: SkipList(depth); break;
            case ThriftType.Map: SkipMap(depth); break;
            case ThriftType.Struct:
                for (int id = 0; Field(ref id, out ThriftType field);) Skip(field, depth + 1);
                break;
            default: throw Senseless();
        }
    }

    private void SkipList(int depth)
    {
        int count = List(out ThriftType type);
        for (int i = 0; i < count; i++) SkipElement(type, depth + 1);
    }

    private void SkipMap(int depth)
    {
        ulong count = Unsigned();
        if (count == 0) return;
        int types = Byte();
        for (ulong i = 0; i < count; i++)
        {
            SkipElement((ThriftType)(types >> 4), depth + 1);
            SkipElement((ThriftType)(types & 15), depth + 1);
        }
    }

    // Within lists and maps true and false take a byte; so each element takes one at least.
    private void SkipElement(ThriftType type, int depth)
    {
        if (type is ThriftType.True or ThriftType.False) Byte();
        else Skip(type, depth);
    }

    private void Pass(int count)
    {
        if (count > _bytes.Length - Position) throw new EndOfStreamException();
        Position += count;
    }

    private int Byte() => Position < _bytes.Length ? _bytes[Position++] : throw new EndOfStreamException();

    private ulong Unsigned()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            int part = Byte();
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80) return value;
        }

        throw Senseless();
    }
}

/// <summary>What Thrift's values are.</summary>
internal enum ThriftType
{
    Stop,
    True,
    False,
    Byte,
    Short,
    Int,
    Long,
    Double,
    Binary,
    List,
    Set,
    Map,
    Struct,
}
