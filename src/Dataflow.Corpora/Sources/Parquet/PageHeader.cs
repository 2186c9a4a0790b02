namespace Dataflow.Corpora;

/// <summary>What a page is.</summary>
internal enum PageKind
{
    Data,
    Index,
    Dictionary,
    DataWithPlainLevels,
}

/// <summary>How the values of a page are written.</summary>
internal enum PageEncoding
{
    Plain = 0,
    PlainDictionary = 2,
    Runs = 3,
    BitPacked = 4,
    Delta = 5,
    DeltaLength = 6,
    DeltaBytes = 7,
    Dictionary = 8,
    SplitStreams = 9,
}

/// <summary>What stands before the bytes of a page.</summary>
internal struct PageHeader
{
    public PageKind Kind;

    /// <summary>Bytes as they are to be when decompressed, with the levels.</summary>
    public int Length;

    /// <summary>Bytes in the file, with the levels.</summary>
    public int Compressed;

    /// <summary>Of the bytes in the file; null if it was not written.</summary>
    public uint? Checksum;

    /// <summary>Values, with nulls and empty lists.</summary>
    public int Values;

    public PageEncoding Encoding;

    /// <summary>Bytes of levels before the compressed values.</summary>
    public int RepetitionBytes;
    public int DefinitionBytes;
    public bool IsCompressed;

    /// <summary>Bytes of the header itself.</summary>
    public int Size;

    /// <summary>Reads one.</summary>
    /// <exception cref="EndOfStreamException">It is longer than the bytes.</exception>
    public static PageHeader Read(ReadOnlySpan<byte> bytes)
    {
        var reader = new ThriftReader(bytes);
        var page = new PageHeader { IsCompressed = true };
        for (int id = 0; reader.Field(ref id, out ThriftType type);)
        {
            switch (id)
            {
                case 1: page.Kind = (PageKind)reader.Small(); break;
                case 2: page.Length = reader.Small(); break;
                case 3: page.Compressed = reader.Small(); break;
                case 4: page.Checksum = (uint)reader.Small(); break;
                case 5 or 7 when type == ThriftType.Struct: page.ReadPlain(ref reader); break;
                case 8 when type == ThriftType.Struct: page.ReadSecond(ref reader); break;
                default: reader.Skip(type); break;
            }
        }

        page.Size = reader.Position;
        bool isSound = page is { Length: >= 0, Compressed: >= 0, Values: >= 0, RepetitionBytes: >= 0, DefinitionBytes: >= 0 }
            && (long)page.RepetitionBytes + page.DefinitionBytes <= Math.Min(page.Length, page.Compressed);
        return isSound ? page : throw ThriftReader.Senseless();
    }

    private void ReadPlain(ref ThriftReader reader)
    {
        for (int id = 0; reader.Field(ref id, out ThriftType type);)
        {
            switch (id)
            {
                case 1: Values = reader.Small(); break;
                case 2: Encoding = (PageEncoding)reader.Small(); break;
                default: reader.Skip(type); break;
            }
        }
    }

    private void ReadSecond(ref ThriftReader reader)
    {
        for (int id = 0; reader.Field(ref id, out ThriftType type);)
        {
            switch (id)
            {
                case 1: Values = reader.Small(); break;
                case 4: Encoding = (PageEncoding)reader.Small(); break;
                case 5: DefinitionBytes = reader.Small(); break;
                case 6: RepetitionBytes = reader.Small(); break;
                case 7: IsCompressed = type == ThriftType.True; break;
                default: reader.Skip(type); break;
            }
        }
    }
}
