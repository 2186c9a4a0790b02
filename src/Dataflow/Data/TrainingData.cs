using Dataflow.Corpora;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What a run trains on: rows that it takes one after the other.</summary>
public sealed class TrainingData : IDisposable
{
    private readonly Func<int, ulong, IRowFeed> feed;
    private readonly IDisposable? owned;
    private readonly bool ownPairs;

    /// <summary>Data of rows.</summary>
    /// <param name="feed">Makes a feed, given the rows of a step and a seed.</param>
    /// <param name="owned">Disposed of with it.</param>
    /// <param name="ownPairs">Whether the rows are a caller's own, and of pairs.</param>
    internal TrainingData(Func<int, ulong, IRowFeed> feed, IDisposable? owned, bool ownPairs = false) =>
        (this.feed, this.owned, this.ownPairs) = (feed, owned, ownPairs);

    /// <summary>The file or files.</summary>
    public required string Path { get; init; }

    /// <summary>For people: where it is from and how much there is.</summary>
    public required string Description { get; init; }

    /// <summary>What to know about it, a sentence each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Rows of an epoch; null where there are many, which are not counted.</summary>
    public int? RowCount { get; init; }

    /// <summary>What tells it from other data, where that takes no reading of its file.</summary>
    public string? Fingerprint { get; init; }

    /// <summary>Whether a row may hold several documents.</summary>
    internal bool IsPacked { get; init; }

    /// <summary>Its documents, where it is made of them and they are one set.</summary>
    internal ITokenizedDocuments? Documents { get; init; }

    /// <summary>How its documents become rows.</summary>
    internal RowSettings? Rows { get; init; }

    /// <summary>Its preferences, and how they become rows; none where it has no pairs.</summary>
    internal IReadOnlyList<(PreferenceDocuments Documents, RowSettings Rows)> Pairs { get; init; } = [];

    /// <summary>Whether its rows are of pairs.</summary>
    internal bool HasPairs => Pairs.Count > 0 || ownPairs;

    /// <summary>The text or the tokens that were asked for; without either, the model folder's own tokens.</summary>
    /// <exception cref="UserErrorException">There are none, or they cannot be used.</exception>
    public static TrainingData Open(TrainingOptions settings, ModelSource source) => settings.Source is { } own
        ? OfCaller(own, settings, source)
        : Open(settings.Choice, settings.Plan.Seqlen, settings.Seed, source);

    /// <summary>Likewise, for rows of so many tokens.</summary>
    /// <exception cref="UserErrorException">There are none, or they cannot be used.</exception>
    public static TrainingData Open(DataChoice choice, int seqlen, ulong seed, ModelSource source)
    {
        if (choice is { Data.Count: > 0, Tokens: not null })
        {
            throw new UserErrorException("--data and --tokens were both given; leave one out");
        }

        if (choice.Data.Count > 0)
        {
            string? tokenizer = choice.Corpus.Tokenizer ?? source.TokenizerFolder;
            return tokenizer is not null || choice.NeedsDocuments || choice.Data is not [var text]
                ? DocumentData.Open(choice, tokenizer, seqlen, seed, source)
                : OfRows(ByteText.Open(text, seqlen, source.Model.VocabSize), text, source);
        }

        string ids = choice.Tokens ?? source.Tokens
            ?? throw new UserErrorException("there is nothing to train on; give a text with --data or token ids with --tokens");
        return ArrayFormats.Open(ids, choice.Corpus.IdType) is { } known
            ? DocumentData.Open(known, choice with { Data = [ids], Tokens = null }, seqlen, seed, source)
            : OfRows(TokenFile.Open(ids, seqlen, source.Model.VocabSize), ids, source);
    }

    /// <summary>
    /// Rows of the data, as training counts them, and whether they hold several documents; a model folder's own tokens count where they
    /// are of this length.
    /// </summary>
    internal static (int? Rows, bool IsPacked) RowsOf(DataChoice choice, int seqlen, ModelSource source)
    {
        bool named = choice.Data.Count > 0 || choice.Tokens is not null;
        try
        {
            if (named || source.Tokens is not null)
            {
                using var data = Open(choice, seqlen, 0, source);
                return (data.RowCount, data.IsPacked);
            }
        }
        catch (UserErrorException) when (!named)
        {
            // Its tokens are of another length: something else is to be trained on.
        }

        return (null, false);
    }

    /// <summary>The rows of training, from the first.</summary>
    /// <param name="rowsPerStep">Rows that are asked for at a time.</param>
    /// <param name="seed">Of their order.</param>
    public IRowFeed Feed(int rowsPerStep, ulong seed) => feed(rowsPerStep, seed);

    /// <summary>What to know about steps of so many rows.</summary>
    public IEnumerable<string> NotesOf(Geometry geometry)
    {
        foreach (string note in Notes)
        {
            yield return note;
        }

        if (RowCount is { } rows && geometry.Rows >= rows)
        {
            yield return $"every step sees the same batch: {Path} has {Said(rows)} and a step takes {geometry.Rows:N0}"
                + (geometry.Rows > rows ? ", some more than once" : "");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => owned?.Dispose();

    /// <summary>A number of rows in words.</summary>
    internal static string Said(int rows) => rows == 1 ? "1 row" : $"{rows:N0} rows";

    private static TrainingData OfRows(ITokenSource tokens, string path, ModelSource source)
    {
        try
        {
            var known = MeasuredData.Describe(tokens, path, source);
            return new TrainingData((rows, seed) => new SourceFeed(tokens, rows, seed), tokens as IDisposable)
            {
                Path = path, Description = known.Description, Notes = known.Notes, RowCount = tokens.RowCount,
                IsPacked = tokens.Documents(0) is not null,
            };
        }
        catch
        {
            (tokens as IDisposable)?.Dispose();
            throw;
        }
    }

    /// <summary>Rows of the caller's own, which stay the caller's.</summary>
    private static TrainingData OfCaller(ITokenSource own, TrainingOptions settings, ModelSource source)
    {
        int wanted = settings.Plan.Seqlen + 1;
        if (own.RowLength != wanted || own.RowCount < 1)
        {
            throw new UserErrorException(
                $"the token source has {Said(own.RowCount)} of {own.RowLength} tokens, and sequences of {settings.Plan.Seqlen} take at "
                    + $"least one row of {wanted}"
            );
        }

        var tokens = new CheckedRows(own, source.Model.VocabSize);
        return new TrainingData((rows, seed) => new SourceFeed(tokens, rows, seed), owned: null, own.HasPairs)
        {
            Path = own.GetType().Name,
            Description = $"{own.GetType().Name}, {Said(own.RowCount)} of {wanted - 1} tokens",
            RowCount = own.RowCount,
            IsPacked = own.Documents(0) is not null,
        };
    }
}
