namespace Dataflow.Peers;

/// <summary>The dimensions of a <see cref="TorchDecoder"/>.</summary>
public sealed record TorchShape(int Vocabulary, int Layers, int Heads, int KvHeads, int HeadDim, double RopeTheta, double Epsilon)
{
    /// <summary>The head multiplies by the embedding table.</summary>
    public bool Tied { get; init; }

    /// <summary>Queries and keys are normed before they are rotated.</summary>
    public bool QkNorm { get; init; }

    /// <summary>The most keys that a token attends to, by layer, over and over; none: no layer has a window.</summary>
    public IReadOnlyList<int?> Windows { get; init; } = [];

    /// <summary>
    /// Layers that have no keys and values of their own and attend to those of the nearest layer below that has, by layer, over and over;
    /// none: all have their own.
    /// </summary>
    public IReadOnlyList<bool> SharesKv { get; init; } = [];

    /// <summary>Of the layers whose feed-forward is a mixture of experts; null: none is.</summary>
    public TorchMixture? Mixture { get; init; }

    /// <summary>The token whose row of the table learns nothing from being looked up.</summary>
    public int? PaddingId { get; init; }
}

/// <summary>How the tokens of a mixture choose their experts.</summary>
/// <param name="PerToken">Experts of a token.</param>
/// <param name="Sigmoid">Scores are logistic functions of the router's logits, not their softmax.</param>
/// <param name="Normalised">The weights of a token's experts are divided by their sum.</param>
/// <param name="ZWeight">By what the mean over tokens of the square of the logits' logsumexp counts, in each sparse layer.</param>
public sealed record TorchMixture(int PerToken, bool Sigmoid, bool Normalised, double ZWeight);
