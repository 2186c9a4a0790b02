namespace Dataflow.Model;

/// <summary>
/// The dimensions of a Llama- or Qwen3-style decoder: pre-norm blocks of grouped-query attention with rotary positions and a
/// SwiGLU feed-forward, RMS norms, no biases. A value that exists is valid: <see cref="ModelConfigReader"/> reports every fault at once.
/// </summary>
public sealed record ModelConfig
{
    /// <summary>What people call it: the file's "name", or the folder's or file's name.</summary>
    public required string Name { get; init; }

    /// <summary>Rows of the embedding table and of the head.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Width D of the residual stream.</summary>
    public required int ModelDim { get; init; }

    /// <summary>Number of blocks.</summary>
    public required int LayerCount { get; init; }

    /// <summary>Query heads.</summary>
    public required int HeadCount { get; init; }

    /// <summary>Key and value heads; divides <see cref="HeadCount"/>.</summary>
    public required int KvHeadCount { get; init; }

    /// <summary>Width of one head: even, at most 256; need not be ModelDim / HeadCount.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Width F of the feed-forward; of the widest where layers differ.</summary>
    public required int FfnDim { get; init; }

    /// <summary>What differs from layer to layer; null where all are alike.</summary>
    public LayerPattern? Pattern { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public required double RopeTheta { get; init; }

    /// <summary>Added to the mean square in RMS norms.</summary>
    public required float RmsNormEps { get; init; }

    /// <summary>The head multiplies by the embedding table; one parameter, one gradient.</summary>
    public bool TiedEmbedding { get; init; }

    /// <summary>RMS norm of queries and keys (Qwen3).</summary>
    public bool QkNorm { get; init; }

    /// <summary>What these norms are of.</summary>
    public QkNormKind QkNormKind { get; init; }

    /// <summary>The longest sequence that it was made for; null if its file does not say.</summary>
    public int? MaxPositions { get; init; }

    /// <summary>The token whose row of the embedding table is not trained by its lookups, as padding has none; null for all rows.</summary>
    public int? PaddingId { get; init; }

    /// <summary>The matrix that the head multiplies by.</summary>
    public WeightName HeadMatrix => TiedEmbedding ? WeightName.EmbeddingTable : WeightName.HeadMatrix;

    /// <summary>Width of all query heads together.</summary>
    public int QueryDim => HeadCount * HeadDim;

    /// <summary>Width of all key heads (or all value heads) together.</summary>
    public int KvDim => KvHeadCount * HeadDim;

    /// <summary>Weights of the norm of queries, where there is one.</summary>
    public int QueryNormDim => QkNormKind == QkNormKind.Rows ? QueryDim : HeadDim;

    /// <summary>Weights of the norm of keys, likewise.</summary>
    public int KeyNormDim => QkNormKind == QkNormKind.Rows ? KvDim : HeadDim;

    /// <summary>All layers from the input on.</summary>
    public IEnumerable<Layer> Layers => Enumerable.Range(0, LayerCount).Select(l => new Layer(l));

    /// <summary>The kind of each layer from the input on.</summary>
    public IEnumerable<LayerKind> Kinds => Pattern is null ? Enumerable.Repeat(new LayerKind(FfnDim), LayerCount) : Layers.Select(KindOf);

    /// <summary>The kind of a layer.</summary>
    public LayerKind KindOf(Layer layer) => Pattern?[layer] ?? new LayerKind(FfnDim);

    /// <summary>All numbers; a tied table counts once.</summary>
    public long ParameterCount =>
        DecoderVocabulary.Embedding(this).Count + DecoderVocabulary.Head(this).Sum(p => p.Count)
        + KindCounts.Sum(k => k.Layers * BlockParameterCount(k.Kind));

    /// <summary>Those of them that training changes.</summary>
    public long TrainedParameterCount =>
        ParameterCount - KindCounts.Where(k => k.Kind.Frozen).Sum(k => k.Layers * BlockParameterCount(k.Kind));

    /// <summary>Bytes of the others, as they are stored.</summary>
    public Bytes FrozenSize(Recipe recipe) =>
        new(
            KindCounts.Sum(k =>
                k.Layers
                * DecoderBlock
                    .Parameters(this, k.Kind)
                    .Where(p => !p.IsTrained)
                    .Sum(p => (p.Storage ?? recipe.Parameters).SizeOf(p.Count).Value)
            )
        );

    /// <summary>
    /// FLOPs of one training step per sequence of <paramref name="seqlen"/> tokens: causal attention counted half, and within its window
    /// where it has one; embedding free, recomputation not counted (a layer: 3*2*S*(matrices) + 6*S^2*queryDim, of a frozen one's
    /// matrices two thirds; the head: 6*S*D*V).
    /// </summary>
    public double ModelFlops(long seqlen) =>
        KindCounts.Sum(k => k.Layers * LayerFlops(k.Kind, seqlen)) + (6.0 * seqlen * ModelDim * VocabSize);

    /// <summary>Numbers of one layer.</summary>
    public long LayerParameterCount(Layer layer) => BlockParameterCount(KindOf(layer));

    /// <summary>How many layers there are of each kind.</summary>
    private IEnumerable<(LayerKind Kind, int Layers)> KindCounts => Kinds.CountBy(k => k).Select(k => (k.Key, k.Value));

    private long BlockParameterCount(LayerKind kind) => DecoderBlock.Parameters(this, kind).Sum(p => p.Count);

    private double LayerFlops(LayerKind kind, long seqlen)
    {
        double keys = Math.Min(seqlen, kind.Window ?? seqlen);
        double flops = kind.Frozen ? 4 : 6;
        return (flops * seqlen * ((2.0 * ModelDim * QueryDim) + (2.0 * ModelDim * KvDim) + (3.0 * ModelDim * kind.FfnDim)))
            + (6.0 * ((2.0 * seqlen) - keys) * keys * QueryDim);
    }
}
