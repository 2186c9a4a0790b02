using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>What a run trains on.</summary>
/// <param name="Description">For people: where it is from and how much there is.</param>
internal sealed record TrainingData(ITokenSource Tokens, string Description) : IDisposable
{
    private const string SourceEnding = ".source";

    /// <summary>The text or the tokens that were asked for; without either, the model folder's own tokens.</summary>
    /// <exception cref="UserErrorException">There are none, or they cannot be used.</exception>
    public static TrainingData Open(TrainingSettings settings, ModelSource source)
    {
        if (settings.TextPath is { } text)
        {
            var bytes = ByteText.Open(text, settings.Plan.Seqlen, source.Model.VocabSize);
            return new TrainingData(bytes, $"{text}{Origin(text)}, {bytes.RowCount:N0} rows of {settings.Plan.Seqlen} bytes");
        }

        string path = settings.TokensPath ?? source.Tokens
            ?? throw new UserErrorException("there is nothing to train on; give a text with --data or token ids with --tokens");
        var tokens = TokenFile.Open(path, settings.Plan.Seqlen, source.Model.VocabSize);
        return new TrainingData(tokens, $"{path}, {tokens.RowCount:N0} rows of {settings.Plan.Seqlen} tokens");
    }

    /// <summary>What is said of the text beside it; it may be missing.</summary>
    private static string Origin(string text)
    {
        try
        {
            return File.Exists(text + SourceEnding) ? $" ({File.ReadAllText(text + SourceEnding).Trim()})" : "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <inheritdoc/>
    public void Dispose() => (Tokens as IDisposable)?.Dispose();
}
