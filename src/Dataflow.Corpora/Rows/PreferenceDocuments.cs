namespace Dataflow.Corpora;

/// <summary>
/// Preferences as documents, each prompt and chosen answer, then prompt and rejected answer: with what a reference makes of both, once that
/// is known.
/// </summary>
/// <param name="inner">The documents, of that kind.</param>
public sealed class PreferenceDocuments(ITokenizedDocuments inner) : ITokenizedDocuments
{
    /// <summary>The weight of the token that the second half of a preference begins with. As any first one it is nobody's target.</summary>
    internal const byte BeginsRejected = 2;

    /// <summary>
    /// The reference's log-probabilities of the answers of each document, chosen and rejected in turn; null as long as they are not known,
    /// which counts as 0.
    /// </summary>
    public double[]? References { get; set; }

    /// <inheritdoc/>
    public string Name => inner.Name;

    /// <inheritdoc/>
    public string Finding => inner.Finding;

    /// <inheritdoc/>
    public DocumentKind Kind => inner.Kind;

    /// <inheritdoc/>
    public int IdCount => inner.IdCount;

    /// <inheritdoc/>
    public bool HasWeights => inner.HasWeights;

    /// <inheritdoc/>
    public string Fingerprint => inner.Fingerprint;

    /// <inheritdoc/>
    public long Await(long documents) => inner.Await(documents);

    /// <inheritdoc/>
    public long LengthOf(long document) => inner.LengthOf(document);

    /// <inheritdoc/>
    public void Read(long document, long first, Span<int> ids) => inner.Read(document, first, ids);

    /// <inheritdoc/>
    public void ReadWeights(long document, long first, Span<byte> weights) => inner.ReadWeights(document, first, weights);

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();

    /// <summary>Where prompt and rejected answer begin in a preference; -1 in other documents.</summary>
    /// <param name="weights">Of all tokens of the document.</param>
    public static int RejectedFrom(ReadOnlySpan<byte> weights) => weights.IndexOf(BeginsRejected);

    /// <summary>What the reference makes of the chosen answer of a document, and of the rejected one.</summary>
    internal (double Chosen, double Rejected) ReferenceOf(long document) =>
        References is { } known ? (known[2 * document], known[(2 * document) + 1]) : (0, 0);
}
