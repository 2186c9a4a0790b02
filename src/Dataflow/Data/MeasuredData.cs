using Dataflow.Corpora;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What the loss of a run is measured on besides: all of its rows, each time.</summary>
/// <param name="Tokens">Its rows.</param>
/// <param name="Path">The file or files.</param>
/// <param name="Description">For people: where it is from and how much there is.</param>
/// <param name="Notes">What to know about it, a sentence each.</param>
public sealed record MeasuredData(ITokenSource Tokens, string Path, string Description, IReadOnlyList<string> Notes) : IDisposable
{
    private const string SourceEnding = ".source";
    private static readonly Bytes LargestNote = new(1 << 16);

    /// <summary>What tells it from other data, where that takes no reading of its file.</summary>
    internal string? Fingerprint { get; init; }

    /// <summary>Its preferences, and how they become rows, apart from those of training; null: it has none of its own.</summary>
    internal (PreferenceDocuments Documents, RowSettings Rows)? Pairs { get; init; }

    private IDisposable? Owned { get; init; }

    /// <summary>The validation data that was asked for, or what training holds back; null if neither was.</summary>
    /// <exception cref="UserErrorException">It cannot be used.</exception>
    public static MeasuredData? Open(TrainingOptions settings, TrainingData training, ModelSource source)
    {
        int vocabulary = source.Model.VocabSize;
        if (settings.Validation is { } path)
        {
            if (settings.Corpus.HeldBack > 0)
            {
                throw new UserErrorException("--validation and --validation-split were both given; leave one out");
            }

            return OfFile(settings, path, source);
        }

        if (settings.Corpus.HeldBack == 0)
        {
            return null;
        }

        var (documents, rows) = (training.Documents, training.Rows);
        if (documents is null || rows is null)
        {
            throw new UserErrorException(
                $"--validation-split holds documents back, and {training.Path} has none; give other data by --validation");
        }

        var held = new DocumentRows(documents, rows, vocabulary, heldBack: true);
        string what = $"{rows.HeldBack:0.##%} of the documents of {documents.Name}";
        return new MeasuredData(held, what, $"{what}, {TrainingData.Said(held.RowCount)} of {rows.Seqlen} tokens", []);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        (Tokens as IDisposable)?.Dispose();
        Owned?.Dispose();
    }

    /// <summary>What is known of rows of a file.</summary>
    internal static MeasuredData Describe(ITokenSource tokens, string path, ModelSource source)
    {
        string what = tokens is ByteText ? "bytes" : "tokens";
        string documents = tokens is TokenFile { DocumentsPath: { } lengths } ? $" in the documents of {lengths}" : "";
        documents += tokens is TokenFile { MaskPath: { } mask } ? $", targets counted by {mask}" : "";
        string description = $"{path}{(tokens is ByteText ? Origin(path) : "")}, {TrainingData.Said(tokens.RowCount)} of "
            + $"{tokens.RowLength - 1} {what}{documents}";
        return new MeasuredData(tokens, path, description, [.. DataNotes.Of(tokens, path, source)]);
    }

    private static MeasuredData OfFile(TrainingOptions settings, string path, ModelSource source)
    {
        var options = settings.Corpus with { Weights = [], HeldBack = 0 };
        var (seqlen, vocabulary) = (settings.Plan.Seqlen, source.Model.VocabSize);
        string? tokenizer = options.Tokenizer ?? source.TokenizerFolder;
        bool isRaw = path.EndsWith(".bin", StringComparison.OrdinalIgnoreCase) || File.Exists(System.IO.Path.Combine(path, "tokens.bin"));
        bool isText = !isRaw && tokenizer is null && !new DataChoice([path], null, options with { IdType = null }).NeedsDocuments;
        if ((isRaw && ArrayFormatOf(path, options) is null) || isText)
        {
            var tokens = TokenSources.Open(path, seqlen, vocabulary, LastRow.Short);
            try
            {
                return Describe(tokens, path, source);
            }
            catch
            {
                (tokens as IDisposable)?.Dispose();
                throw;
            }
        }

        var documents = (ITokenizedDocuments?)ArrayFormatOf(path, options) ?? DocumentSources.Open([path], tokenizer, options);
        try
        {
            var rows = DocumentData.Settings(documents, options, seqlen, settings.Seed);
            documents = DocumentData.Paired(documents);
            var all = new DocumentRows(documents, rows, vocabulary);
            return new MeasuredData(all, path, DocumentData.Describe(documents, rows, all.RowCount, areAll: true), [])
            {
                Fingerprint = documents.Fingerprint, Owned = documents,
                Pairs = documents is PreferenceDocuments pairs ? (pairs, rows) : null,
            };
        }
        catch
        {
            documents.Dispose();
            throw;
        }
    }

    private static ArrayDocuments? ArrayFormatOf(string path, CorpusOptions options) =>
        File.Exists(path) && path.EndsWith(".bin", StringComparison.OrdinalIgnoreCase) ? ArrayFormats.Open(path, options.IdType) : null;

    /// <summary>What is said of the text beside it; it may be missing.</summary>
    private static string Origin(string text)
    {
        try
        {
            return File.Exists(text + SourceEnding) ? $" ({InputFile.ReadText(text + SourceEnding, LargestNote).Trim()})" : "";
        }
        catch (UserErrorException)
        {
            return "";
        }
    }
}
