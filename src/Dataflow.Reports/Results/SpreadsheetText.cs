namespace Dataflow.Reports;

/// <summary>
/// Texts in CSV files as spreadsheets do not run them: what begins as a formula does gets an apostrophe before it, which our own reader
/// takes away again. Numbers are not texts, and stay.
/// </summary>
internal static class SpreadsheetText
{
    private const string Formula = "=+-@\t\r";

    /// <summary>The cell of a text.</summary>
    public static string Escape(string text) => BeginsAsFormula(text.TrimStart('\'')) ? "'" + text : text;

    /// <summary>The text of a cell.</summary>
    public static string Unescape(string cell) =>
        cell.Length > 1 && cell[0] == '\'' && BeginsAsFormula(cell.TrimStart('\'')) ? cell[1..] : cell;

    private static bool BeginsAsFormula(string text) => text.Length > 0 && Formula.Contains(text[0], StringComparison.Ordinal);
}
