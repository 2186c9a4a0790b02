using Dataflow.Text.Tokenizers;

namespace Dataflow;

/// <summary>The text of a continuation as it is shown, token by token, up to its end.</summary>
internal sealed class ShownText(ModelTexts? texts, GenerationOptions options)
{
    private readonly DecodedStream? stream = texts?.Tokenizer.Stream(skipSpecialTokens: true);
    private readonly StopTexts until = new(options.Stop);

    /// <summary>Takes a token.</summary>
    /// <param name="id">The token.</param>
    /// <param name="isLast">No other is asked for.</param>
    /// <returns>What is sure of the text now, and whether it ends here.</returns>
    public (string Text, GenerationEnd End) Next(int id, bool isLast)
    {
        if (!options.IgnoreEnd && texts?.Ends.Contains(id) == true)
        {
            return (Finish(), GenerationEnd.EndToken);
        }

        string text = stream is null ? "" : until.Next(stream.Next(id));
        return until.IsReached ? (text, GenerationEnd.StopText)
            : isLast ? (text + Finish(), GenerationEnd.Length)
            : (text, GenerationEnd.None);
    }

    /// <summary>What was held back, of a text that is not gone on with.</summary>
    public string Finish()
    {
        if (stream is null)
        {
            return "";
        }

        string last = until.Next(stream.Finish());
        return until.IsReached ? last : last + until.Finish();
    }
}
