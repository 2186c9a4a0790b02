using System.Buffers.Binary;
using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>The values of a leaf in a row group, row by row.</summary>
/// <param name="file">The file.</param>
/// <param name="leaf">The leaf.</param>
/// <param name="chunk">Where it lies.</param>
/// <param name="column">The column that it belongs to, for messages.</param>
internal sealed class ColumnReader(ParquetFile file, ParquetNode leaf, ParquetChunk chunk, string column)
{
    private const int MostEntries = 4 << 20;

    private long _offset = chunk.Offset;
    private long _left = chunk.Values;
    private int _leftInPage;
    private RunReader? _repetitions;
    private RunReader? _definitions;
    private ValueReader? _values;
    private ParquetDictionary? _dictionary;
    private ParquetEntry? _pending;

    /// <summary>Reads a row.</summary>
    /// <param name="entries">What it has, put in place of what was there.</param>
    /// <param name="place">Which row, for messages.</param>
    /// <returns>Bytes of the values.</returns>
    public long ReadRow(List<ParquetEntry> entries, PassagePlace place)
    {
        entries.Clear();
        long bytes = 0;
        ParquetEntry? entry = _pending ?? Next();
        if (entry is not { Repetition: 0 }) throw new InvalidDataException($"column {column} ends before its rows do");
        do
        {
            entries.Add(entry.Value);
            bytes += entry.Value.Value.Length;
            if (bytes > JsonLines.MostBytes || entries.Count > MostEntries) throw new UserErrorException(
                $"{place}: {column} has more than {JsonLines.MostBytes >> 20} MiB or {MostEntries} values, "
                    + "the most that a record may have; break it up");
            // A value of a column without lists is a row; the page after it is read when its row is.
            entry = leaf.Repetition == 0 ? null : Next();
        }
        while (entry is { Repetition: > 0 });
        _pending = entry;
        return bytes;
    }

    private ParquetEntry? Next()
    {
        while (_leftInPage == 0)
        {
            if (_left == 0) return null;
            BeginPage();
        }

        _leftInPage--;
        int repetition = _repetitions?.Next() ?? 0, definition = _definitions?.Next() ?? 0;
        if (repetition > leaf.Repetition || definition > leaf.Level) throw new InvalidDataException("a level is higher than there are");
        return new ParquetEntry(repetition, definition, definition == leaf.Level ? _values!.Next() : default);
    }

    private void BeginPage()
    {
        (_repetitions, _definitions, _values) = (null, null, null);
        PageHeader header = file.ReadHeader(_offset);
        if (header.Kind is < PageKind.Data or > PageKind.DataWithPlainLevels) throw ThriftReader.Senseless();
        byte[]? page = header.Kind == PageKind.Index ? null : file.ReadPage(header, _offset + header.Size, chunk.Codec, column);
        _offset += header.Size + header.Compressed;
        if (page is null) return;
        if (header.Kind == PageKind.Dictionary)
        {
            _dictionary = new ParquetDictionary(page, header.Values, leaf.Type);
            return;
        }

        if (header.Values > _left) throw new InvalidDataException($"column {column} has more values than are said");
        (_left, _leftInPage) = (_left - header.Values, header.Values);
        int at = header.Kind == PageKind.Data ? FirstLevels(page) : SecondLevels(page, header);
        _values = Values(page, at, header);
    }

    private int FirstLevels(byte[] page)
    {
        int at = 0;
        _repetitions = leaf.Repetition > 0 ? Levels(page, ref at, leaf.Repetition) : null;
        _definitions = leaf.Level > 0 ? Levels(page, ref at, leaf.Level) : null;
        return at;
    }

    private static RunReader Levels(byte[] page, ref int at, int highest)
    {
        if (page.Length - at < sizeof(int)) throw new InvalidDataException("a page has no levels");
        int length = BinaryPrimitives.ReadInt32LittleEndian(page.AsSpan(at));
        at += sizeof(int);
        if (length < 0 || length > page.Length - at) throw new InvalidDataException("a page has no levels");
        at += length;
        return new RunReader(page, at - length, at, RunReader.Width(highest));
    }

    private int SecondLevels(byte[] page, in PageHeader header)
    {
        int repetitions = header.RepetitionBytes, at = repetitions + header.DefinitionBytes;
        _repetitions = leaf.Repetition > 0 ? new RunReader(page, 0, repetitions, RunReader.Width(leaf.Repetition)) : null;
        _definitions = leaf.Level > 0 ? new RunReader(page, repetitions, at, RunReader.Width(leaf.Level)) : null;
        return at;
    }

    private ValueReader Values(byte[] page, int at, in PageHeader header)
    {
        int end = page.Length, most = Math.Min(header.Values, MostEntries);
        bool isText = leaf.Type == ParquetType.ByteArray, isInteger = leaf.Type is ParquetType.Int32 or ParquetType.Int64;
        return header.Encoding switch
        {
            PageEncoding.Plain => new PlainValues(page, at, end, leaf.Type),
            // A page of nothing but nulls has no width, and may come without a dictionary.
            PageEncoding.PlainDictionary or PageEncoding.Dictionary when at == end => new PlainValues(page, at, end, leaf.Type),
            PageEncoding.PlainDictionary or PageEncoding.Dictionary => new DictionaryValues(
                _dictionary ?? throw new InvalidDataException("a page has no dictionary"), new RunReader(page, at + 1, end, page[at])),
            PageEncoding.Runs when leaf.Type == ParquetType.Boolean =>
                new RunValues(new RunReader(page, Math.Min(end, at + sizeof(int)), end, 1)),
            PageEncoding.Delta when isInteger => new DeltaNumbers(new DeltaIntegers(page, at, end, most), leaf.Type),
            PageEncoding.DeltaLength when isText => new DeltaLengthTexts(page, at, end, most),
            PageEncoding.DeltaBytes when isText => new DeltaTexts(page, at, end, most),
            _ => throw new UserErrorException(
                $"{file.Path}: column {column} is written in an encoding that is not read here ({header.Encoding}); write it with plain or "
                    + "dictionary encoding"),
        };
    }
}
