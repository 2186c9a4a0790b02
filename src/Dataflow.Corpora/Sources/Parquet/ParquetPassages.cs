using System.Buffers;
using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>The rows of a Parquet file as documents. Only the columns that mean something are read.</summary>
internal static class ParquetPassages
{
    private const int KeptBytes = 1 << 20;

    private static readonly string[] Main = ["text", "prompt", "completion", "messages", "conversations", "chosen", "rejected"];
    private static readonly string[] Beside = ["tools", "documents", "kwargs", "chat_template_kwargs"];

    /// <summary>The documents from a row on.</summary>
    /// <param name="path">The file.</param>
    /// <param name="file">Which of the files it is.</param>
    /// <param name="from">Rows before.</param>
    /// <param name="records">What makes documents of rows.</param>
    public static IEnumerable<Passage> Read(string path, int file, long from, DocumentRecords records)
    {
        using var parquet = ParquetFile.Open(path);
        IReadOnlyList<ParquetNode> all = parquet.Guard(parquet.Footer.Columns);
        ParquetNode[] columns = Chosen(path, all, records.Field);
        int[] leaves = [.. columns.SelectMany(c => Enumerable.Range(c.FirstLeaf, c.Leaves))];
        var writer = new RowWriter(columns, leaves);
        long before = 0;
        foreach (ParquetRowGroup group in parquet.Guard(() => parquet.Footer.RowGroups(leaves)))
        {
            long first = Math.Max(from - before, 0);
            if (first < group.Rows)
            {
                var rows = new RowGroupReader(parquet, columns, group, writer);
                bool isText =
                    columns is [{ Shape: ParquetShape.Leaf, Type: ParquetType.ByteArray, Name: not ("messages" or "conversations") }];
                for (long row = 0; row < group.Rows; row++)
                {
                    long number = before + row + 1;
                    var place = new PassagePlace(path, "row", number);
                    var next = new SourcePosition(file, number);
                    parquet.Guard(() => rows.Read(place));
                    if (row < first) continue;
                    // Most of what is published is one column of text, which needs no detour over JSON.
                    yield return isText && rows.Text is { } text ? records.ReadText(text.Span, columns[0].Name, place, next)
                        : records.Read(parquet.Guard(() => rows.Json(place)).Span, place, next);
                }
            }

            before += group.Rows;
        }

        if (from > before) throw new UserErrorException(
            $"{path} has {before} rows, and reading was to go on after {from}; it is not the file that it was, begin anew");
    }

    private static ParquetNode[] Chosen(string path, IReadOnlyList<ParquetNode> all, string? field)
    {
        string Columns() => ShownNames.List("columns", [.. all.Select(c => c.Name)]);
        if (field is not null && all.All(c => c.Name != field))
            throw new UserErrorException($"{path} has no {field}, which --field names; it has {Columns()}");
        HashSet<string> wanted = field is null ? [.. Main] : field == "completion" ? [field, "prompt"]
            : field == "chosen" ? [field, "rejected", "prompt"] : [field];
        bool isChat = all.Any(c => wanted.Contains(c.Name) && (c.Shape != ParquetShape.Leaf || c.Name is "messages" or "conversations"));
        if (isChat) wanted.UnionWith(Beside);
        ParquetNode[] chosen = [.. all.Where(c => wanted.Contains(c.Name))];
        if (chosen.All(c => Beside.Contains(c.Name) && c.Name != field)) throw new UserErrorException(
            $"{path} has {Columns()}; needed are text, prompt and completion, messages, conversations, or prompt, chosen and rejected, "
                + "or name the column that holds the text with --field");
        foreach (ParquetNode column in chosen)
            if (column.AllLeaves.FirstOrDefault(l => l.Type is ParquetType.Int96 or ParquetType.FixedBytes) is { } leaf)
                throw new UserErrorException(
                    $"{path}: column {column.Name} has values of a type that has no JSON ({ShownNames.Of(leaf.Name)}); leave it out");
        return chosen;
    }

    /// <summary>The rows of a group.</summary>
    private sealed class RowGroupReader
    {
        private readonly ColumnReader[] _leaves;
        private readonly List<ParquetEntry>[] _entries;
        private readonly RowWriter _writer;
        private ArrayBufferWriter<byte> _json = new();

        public RowGroupReader(ParquetFile file, ParquetNode[] columns, ParquetRowGroup group, RowWriter writer)
        {
            (ParquetNode Leaf, string Column)[] leaves = [.. columns.SelectMany(c => c.AllLeaves.Select(l => (l, c.Name)))];
            _leaves = [.. leaves.Select((l, i) => new ColumnReader(file, l.Leaf, Checked(file, group.Chunks[i], l.Column), l.Column))];
            _entries = [.. leaves.Select(_ => new List<ParquetEntry>())];
            _writer = writer;
        }

        /// <summary>The row, if it is one text and not null.</summary>
        public ReadOnlyMemory<byte>? Text => _entries[0][0].Value is { Bytes: { } bytes } value
            ? new ReadOnlyMemory<byte>(bytes, value.Start, value.Length) : default(ReadOnlyMemory<byte>?);

        /// <summary>Goes to the next row; says how many bytes its values have.</summary>
        public long Read(PassagePlace place)
        {
            long bytes = 0;
            for (int i = 0; i < _leaves.Length; i++) bytes += _leaves[i].ReadRow(_entries[i], place);
            return bytes <= JsonLines.MostBytes ? bytes : throw JsonLines.TooLong(place);
        }

        /// <summary>The row as JSON.</summary>
        public ReadOnlyMemory<byte> Json(PassagePlace place)
        {
            if (_json.Capacity > KeptBytes) _json = new ArrayBufferWriter<byte>();
            _json.ResetWrittenCount();
            _writer.Write(_json, _entries, place);
            return _json.WrittenMemory;
        }

        private static ParquetChunk Checked(ParquetFile file, ParquetChunk chunk, string column)
        {
            if (chunk.IsEncrypted) throw new UserErrorException($"{file.Path}: column {column} is encrypted; write it without encryption");
            if (PageCompression.Refusal(chunk.Codec) is { } codec) throw new UserErrorException(
                $"{file.Path}: column {column} is compressed by {codec}; write it with snappy, gzip, brotli, zstd or lz4_raw");
            return chunk;
        }
    }
}
