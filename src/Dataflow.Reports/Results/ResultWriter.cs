using System.Globalization;
using CsvHelper;

namespace Dataflow.Reports;

/// <summary>Result files of this program: lines of CSV, quoted where needed, each ending in a newline.</summary>
public static class ResultWriter
{
    private static readonly CsvWriterOptions Csv = new() { NewLine = "\n", BufferSize = 1 << 12 };

    /// <summary>The head.</summary>
    public static string Head { get; } = Line(ResultColumns.OfThisProgram.Select(c => c.Name));

    /// <summary>A row; a text never breaks the line.</summary>
    public static string Line(ResultRow row) => Line(ResultColumns.OfThisProgram.Select(c => c.Write(row).ReplaceLineEndings(" ")));

    /// <summary>Any fields.</summary>
    public static string Line(IEnumerable<string> fields)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        using (var csv = CsvWriter.Create(text, Csv, true))
        {
            foreach (string field in fields)
            {
                csv.WriteField(field);
            }

            csv.EndRecord();
        }

        return text.ToString();
    }
}
