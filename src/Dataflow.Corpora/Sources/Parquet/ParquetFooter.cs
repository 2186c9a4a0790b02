using System.Text;

namespace Dataflow.Corpora;

/// <summary>Where the values of a leaf are in a row group.</summary>
/// <param name="Codec">How its pages are compressed.</param>
/// <param name="Values">How many values it has, with nulls and empty lists.</param>
/// <param name="Offset">Where its first page is in the file.</param>
/// <param name="IsEncrypted">Whether it is encrypted.</param>
internal readonly record struct ParquetChunk(int Codec, long Values, long Offset, bool IsEncrypted);

/// <summary>Rows that are stored together.</summary>
/// <param name="Rows">How many.</param>
/// <param name="Chunks">Of the leaves that were asked for, in their order.</param>
internal sealed record ParquetRowGroup(long Rows, IReadOnlyList<ParquetChunk> Chunks);

/// <summary>What the end of a Parquet file says about it.</summary>
/// <param name="bytes">The metadata.</param>
/// <remarks>https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift</remarks>
internal sealed class ParquetFooter(byte[] bytes)
{
    private const int ConvertedMap = 1;
    private const int ConvertedKeyValue = 2;
    private const int ConvertedList = 3;
    private const int LogicalMap = 2;
    private const int LogicalList = 3;

    /// <summary>The columns.</summary>
    public IReadOnlyList<ParquetNode> Columns()
    {
        var reader = new ThriftReader(bytes);
        var elements = new List<SchemaElement>();
        for (int id = 0; reader.Field(ref id, out ThriftType type);)
        {
            if (id != 2 || type != ThriftType.List)
            {
                reader.Skip(type);
                continue;
            }

            int count = reader.List(out _);
            for (int i = 0; i < count; i++) elements.Add(Element(ref reader));
        }

        return new ParquetTree(elements).Columns();
    }

    /// <summary>The row groups, with what is known of some leaves.</summary>
    /// <param name="leaves">Their numbers, in ascending order.</param>
    public IReadOnlyList<ParquetRowGroup> RowGroups(int[] leaves)
    {
        var reader = new ThriftReader(bytes);
        var groups = new List<ParquetRowGroup>();
        for (int id = 0; reader.Field(ref id, out ThriftType type);)
        {
            if (id != 4 || type != ThriftType.List)
            {
                reader.Skip(type);
                continue;
            }

            int count = reader.List(out _);
            for (int i = 0; i < count; i++) groups.Add(RowGroup(ref reader, leaves));
        }

        return groups;
    }

    private static SchemaElement Element(ref ThriftReader reader)
    {
        (string name, ParquetType type, int repetition, int children, bool isList, bool isMap) =
            ("", ParquetType.ByteArray, 0, 0, false, false);
        for (int id = 0; reader.Field(ref id, out ThriftType field);)
        {
            switch (id)
            {
                case 1: type = (ParquetType)reader.Small(); break;
                case 3: repetition = reader.Small(); break;
                case 4: name = Encoding.UTF8.GetString(reader.Binary()); break;
                case 5: children = reader.Small(); break;
                case 6:
                    int converted = reader.Small();
                    isList |= converted == ConvertedList;
                    isMap |= converted is ConvertedMap or ConvertedKeyValue;
                    break;
                case 10 when field == ThriftType.Struct:
                    for (int logical = 0; reader.Field(ref logical, out ThriftType inner); reader.Skip(inner))
                    {
                        isList |= logical == LogicalList;
                        isMap |= logical == LogicalMap;
                    }

                    break;
                default: reader.Skip(field); break;
            }
        }

        if (repetition is < 0 or > 2 || children < 0 || type is < ParquetType.Boolean or > ParquetType.FixedBytes)
            throw ThriftReader.Senseless();
        return new SchemaElement(name, type, repetition, children, isList, isMap);
    }

    private static ParquetRowGroup RowGroup(ref ThriftReader reader, int[] leaves)
    {
        var chunks = new List<ParquetChunk>();
        long rows = 0;
        for (int id = 0; reader.Field(ref id, out ThriftType type);)
        {
            if (id == 3) rows = reader.Integer();
            else if (id != 1 || type != ThriftType.List) reader.Skip(type);
            else
            {
                int count = reader.List(out _);
                for (int i = 0; i < count; i++)
                {
                    if (chunks.Count < leaves.Length && leaves[chunks.Count] == i) chunks.Add(Chunk(ref reader));
                    else reader.Skip(ThriftType.Struct);
                }
            }
        }

        return rows >= 0 && chunks.Count == leaves.Length ? new ParquetRowGroup(rows, chunks) : throw ThriftReader.Senseless();
    }

    private static ParquetChunk Chunk(ref ThriftReader reader)
    {
        var chunk = new ParquetChunk();
        for (int id = 0; reader.Field(ref id, out ThriftType type);)
        {
            switch (id)
            {
                case 3 when type == ThriftType.Struct: Data(ref reader, ref chunk); break;
                case 8 or 9:
                    chunk = chunk with { IsEncrypted = true };
                    reader.Skip(type);
                    break;
                default: reader.Skip(type); break;
            }
        }

        return chunk;
    }

    private static void Data(ref ThriftReader reader, ref ParquetChunk chunk)
    {
        (long data, long dictionary) = (0, 0);
        for (int id = 0; reader.Field(ref id, out ThriftType type);)
        {
            switch (id)
            {
                case 4: chunk = chunk with { Codec = reader.Small() }; break;
                case 5: chunk = chunk with { Values = reader.Integer() }; break;
                case 9: data = reader.Integer(); break;
                case 11: dictionary = reader.Integer(); break;
                default: reader.Skip(type); break;
            }
        }

        // Some writers leave 0 where there is no dictionary.
        chunk = chunk with { Offset = dictionary > 0 ? Math.Min(data, dictionary) : data };
    }
}
