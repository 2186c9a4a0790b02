namespace Dataflow;

/// <summary>The loss of a document.</summary>
/// <param name="Document">Its number, from 0.</param>
/// <param name="Loss">The sum over its scored tokens, in nats.</param>
/// <param name="Scored">How many tokens are scored: all but the first, and of conversations the trained ones.</param>
/// <param name="Tokens">How many it has.</param>
public readonly record struct DocumentLoss(long Document, double Loss, long Scored, long Tokens)
{
    /// <summary>Nats a scored token; not a number where none is.</summary>
    public double Mean => Loss / Scored;
}

/// <summary>How well a model predicts documents.</summary>
/// <param name="Loss">The sum over all scored tokens, in nats.</param>
/// <param name="Scored">How many tokens are scored.</param>
/// <param name="Documents">How many documents there are.</param>
/// <param name="Bytes">Bytes of UTF-8 that the scored tokens stand for; null where there is no tokenizer to tell.</param>
public sealed record EvaluationResult(double Loss, long Scored, long Documents, long? Bytes)
{
    /// <summary>Nats a token.</summary>
    public double Mean => Loss / Scored;

    /// <summary>e to the mean: among how many tokens the model is as unsure.</summary>
    public double Perplexity => Math.Exp(Mean);

    /// <summary>Bits a byte of text, which models with other tokenizers can be compared by; null where bytes are not known.</summary>
    public double? BitsPerByte => Bytes is { } bytes ? Loss / Math.Log(2) / bytes : null;
}

/// <summary>A question with its choices, scored.</summary>
/// <param name="Question">Its number, from 0.</param>
/// <param name="Answer">The right choice, from 0.</param>
/// <param name="LogLikelihoods">Of each choice after the prompt, summed over its tokens, in nats.</param>
/// <param name="Bytes">Of each choice, in UTF-8.</param>
public sealed record ChoiceResult(int Question, int Answer, IReadOnlyList<double> LogLikelihoods, IReadOnlyList<int> Bytes)
{
    /// <summary>The choice of the greatest likelihood, the first of equal ones.</summary>
    public int Picked => Best(LogLikelihoods);

    /// <summary>The choice of the greatest likelihood a byte.</summary>
    public int PickedByByte => Best([.. LogLikelihoods.Zip(Bytes, (l, b) => l / Math.Max(1, b))]);

    private static int Best(IReadOnlyList<double> scores) => Enumerable.Range(0, scores.Count).MaxBy(i => scores[i]);
}
