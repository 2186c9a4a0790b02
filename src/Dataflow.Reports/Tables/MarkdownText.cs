namespace Dataflow.Reports;

/// <summary>
/// Texts in Markdown as a reader sees them: names may hold what Markdown, or the HTML that renderers let through, would act on.
/// </summary>
public static class MarkdownText
{
    /// <summary>A text without HTML.</summary>
    public static string Escape(string text) =>
        text.Replace("&", "&amp;", StringComparison.Ordinal)
            .Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace(">", "&gt;", StringComparison.Ordinal);

    /// <summary>A row of a table; no cell ends before its text does.</summary>
    public static string Row(IEnumerable<string> cells) =>
        $"| {string.Join(" | ", cells.Select(Cell))} |";

    private static string Cell(string text) =>
        Escape(text).Replace("\\", "\\\\", StringComparison.Ordinal).Replace("|", "\\|", StringComparison.Ordinal);
}
