using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>The documents.json beside a token file: {"rows": [[7, 33, ...], ...]}, per row the lengths of its documents.</summary>
internal sealed class DocumentLengths
{
    /// <summary>Its name in the token file's folder.</summary>
    public const string FileName = "documents.json";

    private static readonly Bytes LargestFile = new(1 << 30);

    private readonly int[][] _rows;

    private DocumentLengths(int[][] rows) => _rows = rows;

    /// <summary>Lengths of a row's documents.</summary>
    public IReadOnlyList<int> Of(int row) => _rows[row];

    /// <summary>Reads a file and checks that it describes <paramref name="rowCount"/> rows of <paramref name="seqlen"/> inputs each.</summary>
    public static DocumentLengths Load(string path, int rowCount, int seqlen)
    {
        try
        {
            using var document = JsonDocument.Parse(ReadOnlyFile.ReadText(path, LargestFile));
            var rows = document.RootElement.GetProperty("rows").EnumerateArray().Select(r => r.EnumerateArray().Select(n => n.GetInt32()).ToArray()).ToArray();
            for (int i = 0; i < Math.Min(rows.Length, rowCount); i++)
            {
                Check(path, i, rows[i], seqlen);
            }

            return rows.Length == rowCount
                ? new DocumentLengths(rows)
                : throw new UserErrorException($"{path} describes {rows.Length} rows, and its token file has {rowCount} of seqlen {seqlen}: use the seqlen that it was made for, or move it away to train without document borders");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new UserErrorException($"{path} is not a list of documents: {{\"rows\": [[length, ...], ...]}} was expected ({e.Message})");
        }
    }

    private static void Check(string path, int row, int[] lengths, int seqlen)
    {
        if (lengths.FirstOrDefault(length => length < 1, 1) is var wrong && wrong < 1)
        {
            throw new UserErrorException($"{path}: row {row} has a document of length {wrong}, and a length is at least 1");
        }

        long sum = lengths.Sum(length => (long)length);
        if (sum != seqlen)
        {
            throw new UserErrorException($"{path}: the documents of row {row} have {sum} tokens together, and seqlen is {seqlen}: use the seqlen that it was made for, or move it away to train without document borders");
        }
    }
}
