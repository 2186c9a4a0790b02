using System.Globalization;
using Dataflow.Corpora;
using Dataflow.Model;

namespace Dataflow;

/// <summary>Text to the values of <see cref="CorpusOptions"/> and back, or a sentence that says what would do.</summary>
public static class CorpusValues
{
    /// <summary>Between the values of an option that was given several times, as runs store them.</summary>
    public const char Between = '\n';

    /// <summary>What --untrained takes: to leave documents out, or to end at the first.</summary>
    public const string Drop = "drop", Refuse = "refuse";

    private static readonly (RowCut, string)[] s_rows = [(RowCut.Packed, "packed"), (RowCut.Stream, "stream")];

    private static readonly (Overlong, string)[] s_overlong =
        [(Corpora.Overlong.Split, "split"), (Corpora.Overlong.Truncate, "truncate"), (Corpora.Overlong.Drop, "drop")];

    private static readonly (Shuffle, string)[] s_shuffle =
        [(Corpora.Shuffle.All, "all"), (Corpora.Shuffle.Window, "window"), (Corpora.Shuffle.None, "none")];

    private static readonly (SourceFormat, string)[] s_formats =
    [
        (SourceFormat.Text, "text"), (SourceFormat.JsonLines, "jsonl"), (SourceFormat.Json, "json"), (SourceFormat.Parquet, "parquet"),
    ];

    private static readonly (TextDocuments, string)[] s_documents =
        [(TextDocuments.File, "file"), (TextDocuments.Line, "line"), (TextDocuments.Paragraph, "paragraph")];

    /// <summary>How documents become rows.</summary>
    public static RowCut Rows(string text) => Named(s_rows, text);

    /// <summary>What becomes of overlong documents.</summary>
    public static Overlong Overlong(string text) => Named(s_overlong, text);

    /// <summary>In which order documents are taken.</summary>
    public static Shuffle Shuffle(string text) => Named(s_shuffle, text);

    /// <summary>What files are.</summary>
    public static SourceFormat Format(string text) => Named(s_formats, text);

    /// <summary>What is a document in a text.</summary>
    public static TextDocuments Documents(string text) => Named(s_documents, text);

    /// <summary>A point in time, as in 2026-01-15T09:30:05.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static DateTime Time(string text) =>
        DateTime.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)
            ? DateTime.SpecifyKind(time, DateTimeKind.Unspecified)
            : throw new UserErrorException($"'{text}' is no time; write 2026-01-15T09:30:05");

    /// <summary>A share, as in 0.01 or 1%.</summary>
    /// <exception cref="UserErrorException">It is none, or all.</exception>
    public static double Share(string text)
    {
        bool percent = text.EndsWith('%');
        return double.TryParse(percent ? text[..^1] : text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && (percent ? number / 100 : number) is > 0 and < 1 and var share
            ? share
            : throw new UserErrorException($"'{text}' is no share; give one between 0 and 1, as in 0.01 or 1%");
    }

    /// <summary>Weights, as in 7,3.</summary>
    /// <exception cref="UserErrorException">They are none.</exception>
    public static IReadOnlyList<double> Weights(string text) =>
    [
        .. text.Split(',').Select(t =>
            double.TryParse(t, NumberStyles.Float, CultureInfo.InvariantCulture, out double weight) && weight > 0 && double.IsFinite(weight)
                ? weight
                : throw new UserErrorException($"'{t}' is no weight; give a number above 0 for each source, as in 7,3")),
    ];

    /// <summary>Whether documents of which nothing would be trained are left out.</summary>
    /// <exception cref="UserErrorException">It is neither word.</exception>
    public static bool DropsUntrained(string text) => text switch
    {
        Drop => true,
        Refuse => false,
        _ => throw new UserErrorException($"'{text}' is neither {Refuse} nor {Drop}"),
    };

    /// <summary>The name of a value.</summary>
    public static string NameOf(RowCut value) => NameOf(s_rows, value);

    /// <summary>The name of a value.</summary>
    public static string NameOf(Overlong value) => NameOf(s_overlong, value);

    /// <summary>The name of a value.</summary>
    public static string NameOf(Shuffle value) => NameOf(s_shuffle, value);

    /// <summary>The name of a value.</summary>
    public static string NameOf(SourceFormat value) => NameOf(s_formats, value);

    /// <summary>The name of a value.</summary>
    public static string NameOf(TextDocuments value) => NameOf(s_documents, value);

    private static string NameOf<T>((T Value, string Name)[] names, T value) => names.First(n => n.Value!.Equals(value)).Name;

    private static T Named<T>((T Value, string Name)[] names, string text)
    {
        int at = Array.FindIndex(names, n => n.Name == text);
        return at >= 0 ? names[at].Value
            : throw new UserErrorException($"'{text}' is not one of {string.Join(", ", names.Select(n => n.Name))}");
    }
}
