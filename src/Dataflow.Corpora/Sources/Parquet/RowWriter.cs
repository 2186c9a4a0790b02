using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>Puts the values of a row together as JSON. Members of structures that are null are left out.</summary>
/// <param name="columns">The columns.</param>
/// <param name="leaves">The numbers of their leaves in the file, in ascending order.</param>
internal sealed class RowWriter(IReadOnlyList<ParquetNode> columns, int[] leaves)
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 100 };

    private PassagePlace _place;

    /// <summary>Writes a row.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="entries">What each of the leaves has.</param>
    /// <param name="place">Which row, for messages.</param>
    public void Write(System.Buffers.IBufferWriter<byte> target, IReadOnlyList<List<ParquetEntry>> entries, PassagePlace place)
    {
        _place = place;
        using var json = new Utf8JsonWriter(target, Options);
        json.WriteStartObject();
        var all = new Row(entries, [.. entries.Select(e => (0, e.Count))]);
        foreach (ParquetNode column in columns)
        {
            json.WritePropertyName(column.Name);
            Write(json, column, all);
        }

        json.WriteEndObject();
    }

    private void Write(Utf8JsonWriter json, ParquetNode node, Row row)
    {
        // The names of members, written again and again, can be far more than the values.
        if (json.BytesCommitted + json.BytesPending > JsonLines.MostBytes) throw JsonLines.TooLong(_place);
        if (IsNull(node, row))
        {
            json.WriteNullValue();
            return;
        }

        switch (node.Shape)
        {
            case ParquetShape.Leaf: WriteValue(json, node, row.First(Leaf(node)).Value); break;
            case ParquetShape.Structure:
                json.WriteStartObject();
                foreach (ParquetNode member in node.Children)
                {
                    if (IsNull(member, row)) continue;
                    json.WritePropertyName(member.Name);
                    Write(json, member, row);
                }

                json.WriteEndObject();
                break;
            case ParquetShape.List:
                json.WriteStartArray();
                foreach (Row item in Items(node, row)) Write(json, node.Children[0], item);
                json.WriteEndArray();
                break;
            default:
                json.WriteStartObject();
                foreach (Row item in Items(node, row))
                {
                    ParquetNode key = node.Children[0];
                    if (key is not { Shape: ParquetShape.Leaf, Type: ParquetType.ByteArray } || IsNull(key, item))
                        throw new UserErrorException(
                            $"{_place}: {ShownNames.Of(node.Name)} has keys that are not text; leave the column out");
                    json.WritePropertyName(Text(key, item.First(Leaf(key)).Value));
                    Write(json, node.Children[1], item);
                }

                json.WriteEndObject();
                break;
        }
    }

    private int Leaf(ParquetNode node) => Array.BinarySearch(leaves, node.FirstLeaf);

    private bool IsNull(ParquetNode node, Row row) => row.First(Leaf(node)).Definition < node.Level;

    private void WriteValue(Utf8JsonWriter json, ParquetNode leaf, ParquetValue value)
    {
        switch (leaf.Type)
        {
            case ParquetType.ByteArray: json.WriteStringValue(Text(leaf, value)); break;
            case ParquetType.Boolean: json.WriteBooleanValue(value.Bits != 0); break;
            case ParquetType.Int32 or ParquetType.Int64: json.WriteNumberValue(value.Bits); break;
            default:
                double number = BitConverter.Int64BitsToDouble(value.Bits);
                if (double.IsFinite(number)) json.WriteNumberValue(number);
                else json.WriteNullValue();
                break;
        }
    }

    private ReadOnlySpan<byte> Text(ParquetNode leaf, ParquetValue value) => Utf8.IsValid(value.Span) ? value.Span
        : throw new UserErrorException($"{_place}: {ShownNames.Of(leaf.Name)} is not UTF-8 text; write it as text");

    /// <summary>The parts of a row that are the elements of a list.</summary>
    private IEnumerable<Row> Items(ParquetNode node, Row row)
    {
        int first = Leaf(node), count = node.Leaves;
        if (row.First(first).Definition < node.ElementLevel) yield break;
        var parts = ((int Start, int End)[])row.Parts.Clone();
        for (int i = first; i < first + count; i++) parts[i].End = parts[i].Start;
        while (parts[first].End < row.Parts[first].End)
        {
            for (int i = first; i < first + count; i++)
            {
                int at = parts[i].End, end = row.Parts[i].End;
                parts[i].Start = at++;
                while (at < end && row.Entries[i][at].Repetition > node.Repetition) at++;
                parts[i].End = Math.Min(at, end);
            }

            yield return row with { Parts = parts };
        }
    }

    /// <summary>A part of a row: what of each leaf's entries belongs to it.</summary>
    private readonly record struct Row(IReadOnlyList<List<ParquetEntry>> Entries, (int Start, int End)[] Parts)
    {
        public ParquetEntry First(int leaf) => Parts[leaf].Start < Parts[leaf].End ? Entries[leaf][Parts[leaf].Start]
            : throw new InvalidDataException("its columns do not agree on the elements of a list");
    }
}
