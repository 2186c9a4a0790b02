using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What a run trains on, or measures its loss on besides.</summary>
/// <param name="Tokens">Its rows of token ids.</param>
/// <param name="Path">The file.</param>
/// <param name="Description">For people: where it is from and how much there is.</param>
/// <param name="Notes">What to know about it, a sentence each.</param>
public sealed record TrainingData(ITokenSource Tokens, string Path, string Description, IReadOnlyList<string> Notes) : IDisposable
{
    private const string SourceEnding = ".source";
    private static readonly Bytes LargestNote = new(1 << 16);

    /// <summary>The text or the tokens that were asked for; without either, the model folder's own tokens.</summary>
    /// <exception cref="UserErrorException">There are none, or they cannot be used.</exception>
    public static TrainingData Open(TrainingOptions settings, ModelSource source) => settings.Source is { } own
        ? OfCaller(own, settings, source)
        : Open(settings.Data, settings.Tokens, settings.Plan.Seqlen, source);

    /// <summary>Likewise, for rows of so many tokens.</summary>
    /// <exception cref="UserErrorException">There are none, or they cannot be used.</exception>
    public static TrainingData Open(string? textPath, string? tokensPath, int seqlen, ModelSource source)
    {
        return textPath is { } text ? Describe(ByteText.Open(text, seqlen, source.Model.VocabSize), text, source)
            : (tokensPath ?? source.Tokens) is { } ids ? Describe(TokenFile.Open(ids, seqlen, source.Model.VocabSize), ids, source)
            : throw new UserErrorException("there is nothing to train on; give a text with --data or token ids with --tokens");
    }

    /// <summary>Rows of the data, as training counts them; a model folder's own tokens count where they are of this length.</summary>
    internal static int? RowsOf(string? textPath, string? tokensPath, int seqlen, ModelSource source)
    {
        if (textPath is not null && tokensPath is not null)
        {
            throw new UserErrorException("--data and --tokens were both given; leave one out");
        }

        bool named = textPath is not null || tokensPath is not null;
        try
        {
            if (named || source.Tokens is not null)
            {
                using var data = Open(textPath, tokensPath, seqlen, source);
                return data.Tokens.RowCount;
            }
        }
        catch (UserErrorException) when (!named)
        {
            // Its tokens are of another length: something else is to be trained on.
        }

        return null;
    }

    /// <summary>What the loss is to be measured on besides, all of it; null if nothing.</summary>
    /// <exception cref="UserErrorException">It cannot be used.</exception>
    public static TrainingData? OpenValidation(TrainingOptions settings, ModelSource source) =>
        settings.Validation is not { } path
            ? null
            : Describe(TokenSources.Open(path, settings.Plan.Seqlen, source.Model.VocabSize, LastRow.Short), path, source);

    /// <summary>What to know about steps of so many rows.</summary>
    public IEnumerable<string> NotesOf(Geometry geometry)
    {
        foreach (string note in Notes)
        {
            yield return note;
        }

        if (geometry.Rows >= Tokens.RowCount)
        {
            yield return $"every step sees the same batch: {Path} has {Rows(Tokens.RowCount)} and a step takes {geometry.Rows:N0}"
                + (geometry.Rows > Tokens.RowCount ? ", some more than once" : "");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => (Tokens as IDisposable)?.Dispose();

    private static TrainingData Describe(ITokenSource tokens, string path, ModelSource source)
    {
        try
        {
            string what = tokens is ByteText ? "bytes" : "tokens";
            string documents = tokens is TokenFile { DocumentsPath: { } lengths } ? $" in the documents of {lengths}" : "";
            documents += tokens is TokenFile { MaskPath: { } mask } ? $", targets counted by {mask}" : "";
            string description =
                $"{path}{(tokens is ByteText ? Origin(path) : "")}, {Rows(tokens.RowCount)} of {tokens.RowLength - 1} {what}{documents}";
            return new TrainingData(tokens, path, description, [.. DataNotes.Of(tokens, path, source)]);
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
                $"the token source has {Rows(own.RowCount)} of {own.RowLength} tokens, and sequences of {settings.Plan.Seqlen} take at "
                    + $"least one row of {wanted}"
            );
        }

        var tokens = new CheckedRows(own, source.Model.VocabSize);
        return new TrainingData(tokens, own.GetType().Name, $"{own.GetType().Name}, {Rows(own.RowCount)} of {wanted - 1} tokens", []);
    }

    private static string Rows(int count) => count == 1 ? "1 row" : $"{count:N0} rows";

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
