using System.Globalization;
using Dataflow.Corpora;

namespace Dataflow;

/// <summary>How data becomes rows, as it is stored with a run: by the names of the options that say it, with values that these
/// take.</summary>
internal static class SavedCorpus
{
    private const string StandardInput = "-";

    /// <summary>Those that say how the same ids become rows.</summary>
    public static IReadOnlyList<string> OfRows { get; } = ["pack", "overlong", "shuffle", "validation-split", "weights"];

    /// <summary>What is not left to the program.</summary>
    public static IEnumerable<(string Name, string? Value)> Of(CorpusOptions options) =>
    [
        ("tokenizer", options.Tokenizer is { } folder ? ModelSource.SettingOf(folder) : null),
        ("format", options.Format is { } format ? CorpusValues.NameOf(format) : null),
        ("documents", options.Documents == default ? null : CorpusValues.NameOf(options.Documents)),
        ("field", options.Field),
        ("template", options.Template is { } file ? Path.GetFullPath(file) : null),
        ("end", options.End),
        ("now", options.Now?.ToString("s", CultureInfo.InvariantCulture)),
        ("untrained", options.DropsUntrained ? CorpusValues.Drop : null),
        ("pack", options.Rows is { } rows ? CorpusValues.NameOf(rows) : null),
        ("overlong", options.Overlong is { } overlong ? CorpusValues.NameOf(overlong) : null),
        ("shuffle", options.Shuffle is { } shuffle ? CorpusValues.NameOf(shuffle) : null),
        ("validation-split", options.HeldBack > 0 ? options.HeldBack.ToString("R", CultureInfo.InvariantCulture) : null),
        ("weights", options.Weights.Count > 0
            ? string.Join(',', options.Weights.Select(w => w.ToString("R", CultureInfo.InvariantCulture))) : null),
        ("id-type", options.IdType?.Name()),
    ];

    /// <summary>The other way round.</summary>
    /// <exception cref="Model.UserErrorException">A value cannot be used.</exception>
    public static CorpusOptions OptionsOf(IReadOnlyDictionary<string, string> saved)
    {
        string? Text(string name) => saved.GetValueOrDefault(name);
        return new CorpusOptions
        {
            Tokenizer = Text("tokenizer"),
            Format = Text("format") is { } format ? CorpusValues.Format(format) : null,
            Documents = Text("documents") is { } documents ? CorpusValues.Documents(documents) : default,
            Field = Text("field"),
            Template = Text("template"),
            End = Text("end"),
            Now = Text("now") is { } now ? CorpusValues.Time(now) : null,
            DropsUntrained = Text("untrained") == CorpusValues.Drop,
            Rows = Text("pack") is { } rows ? CorpusValues.Rows(rows) : null,
            Overlong = Text("overlong") is { } overlong ? CorpusValues.Overlong(overlong) : null,
            Shuffle = Text("shuffle") is { } shuffle ? CorpusValues.Shuffle(shuffle) : null,
            HeldBack = Text("validation-split") is { } share ? CorpusValues.Share(share) : 0,
            Weights = Text("weights") is { } weights ? CorpusValues.Weights(weights) : [],
            IdType = Text("id-type") is { } type ? IdTypes.Named(type) : null,
        };
    }

    /// <summary>Paths and patterns that mean the same from any folder.</summary>
    public static string PathsOf(IEnumerable<string> paths) =>
        string.Join(CorpusValues.Between, paths.Select(p => p == StandardInput ? p : Path.GetFullPath(p)));
}
