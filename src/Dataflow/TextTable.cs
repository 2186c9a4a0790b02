using Dataflow.Reports;

namespace Dataflow;

/// <summary>Rows of cells in columns as wide as needed: the first to the left, the others to the right.</summary>
public sealed class TextTable(params string[] head)
{
    private readonly List<string[]> rows = [];

    /// <summary>Adds a row of as many cells as the head has.</summary>
    public void Add(params string[] cells) => rows.Add(cells);

    /// <summary>Prints it in Markdown.</summary>
    public void WriteMarkdownTo(TextWriter output)
    {
        string rule = string.Concat(head.Select((_, c) => c == 0 ? "|---|" : "---:|"));
        foreach (string line in (string[])[MarkdownText.Row(head), rule, .. rows.Select(MarkdownText.Row)])
        {
            output.WriteLine(line);
        }
    }

    /// <summary>Prints it, indented.</summary>
    public void WriteTo(TextWriter output)
    {
        string[][] all = [head, .. rows];
        int[] widths = [.. Enumerable.Range(0, head.Length).Select(c => all.Max(r => r[c].Length))];
        foreach (var row in all)
        {
            string line = string.Concat(row.Select((cell, c) => c == 0 ? cell.PadRight(widths[c]) : "  " + cell.PadLeft(widths[c])));
            output.WriteLine(("  " + line).TrimEnd());
        }
    }
}
