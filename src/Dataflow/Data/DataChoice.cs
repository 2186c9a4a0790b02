using Dataflow.Corpora;

namespace Dataflow;

/// <summary>What is to be trained on, as a user names it.</summary>
/// <param name="Data">Texts, records, conversations, tokenized folders, files of ids that say their type: paths and patterns.</param>
/// <param name="Tokens">A file of raw ids.</param>
/// <param name="Corpus">How they become rows.</param>
public sealed record DataChoice(IReadOnlyList<string> Data, string? Tokens, CorpusOptions Corpus)
{
    /// <summary>Nothing that was named.</summary>
    public static DataChoice None { get; } = new([], null, new CorpusOptions());

    /// <summary>Whether something in it can only be done with documents, rather than with the bytes of one text.</summary>
    internal bool NeedsDocuments => Data.Count > 1 || Corpus != new CorpusOptions() || Data.Any(IsNoText);

    // What is no file, and no pattern of files, is refused as a text would be.
    private static bool IsNoText(string path) => DocumentSources.IsTokens(path) || (!File.Exists(path) && path.AsSpan().ContainsAny("*?["))
        || SourceFormats.Of(path) is SourceFormat.JsonLines or SourceFormat.Parquet || SourceFormats.IsCompressed(path);
}
