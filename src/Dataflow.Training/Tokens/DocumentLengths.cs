using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// The documents of a token file: {"rows": [[7, 33, ...], ...]}, per row the lengths of its documents. It lies beside NAME.bin as
/// NAME.documents.json, or documents.json (<see cref="Companions"/>).
/// </summary>
internal sealed class DocumentLengths
{
    /// <summary>Its name in the token file's folder.</summary>
    public const string FileName = "documents.json";

    private static readonly Bytes LargestFile = new(1 << 30);

    private readonly int[][] _rows;

    private DocumentLengths(string path, int[][] rows) => (Path, _rows) = (path, rows);

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Rows that it describes.</summary>
    public int RowCount => _rows.Length;

    /// <summary>Lengths of a row's documents.</summary>
    public IReadOnlyList<int> Of(int row) => _rows[row];

    /// <summary>
    /// Reads a file and checks that it describes the rows of so many tokens: <paramref name="seqlen"/> inputs each, and those of a short
    /// last row, which may be left out.
    /// </summary>
    public static DocumentLengths Load(string path, long tokens, int seqlen)
    {
        try
        {
            using var document = JsonDocument.Parse(ReadOnlyFile.ReadText(path, LargestFile));
            var rows = document
                .RootElement.GetProperty("rows")
                .EnumerateArray()
                .Select(r => r.EnumerateArray().Select(n => n.GetInt32()).ToArray())
                .ToArray();
            var (whole, rest) = Math.DivRem(tokens, seqlen + 1L);
            for (int i = 0; i < Math.Min(rows.Length, whole); i++)
            {
                Check(path, i, rows[i], seqlen);
            }

            bool describesRest = rest > 1 && rows.Length == whole + 1 && rows[^1].All(length => length > 0) && Sum(rows[^1]) == rest - 1;
            return rows.Length == whole || describesRest
                ? new DocumentLengths(path, rows)
                : throw new UserErrorException(
                    $"{path} describes {rows.Length} rows, and its token file has {whole} of seqlen {seqlen}: use the seqlen that it was "
                        + $"made for, or move it away to train without document borders"
                );
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new UserErrorException(
                $"{path} is not a list of documents: {{\"rows\": [[length, ...], ...]}} was expected ({e.Message})"
            );
        }
    }

    private static void Check(string path, int row, int[] lengths, int seqlen)
    {
        if (lengths.FirstOrDefault(length => length < 1, 1) is var wrong && wrong < 1)
        {
            throw new UserErrorException($"{path}: row {row} has a document of length {wrong}, and a length is at least 1");
        }

        if (Sum(lengths) is var sum && sum != seqlen)
        {
            throw new UserErrorException(
                $"{path}: the documents of row {row} have {sum} tokens together, and seqlen is {seqlen}: use the seqlen that it was made "
                    + $"for, or move it away to train without document borders"
            );
        }
    }

    private static long Sum(int[] lengths) => lengths.Sum(length => (long)length);
}
