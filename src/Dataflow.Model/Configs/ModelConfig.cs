namespace Dataflow.Model;

/// <summary>
/// The dimensions of a decoder of grouped-query attention and feed-forwards, dense or of experts, and what sets its family apart: unless
/// said otherwise that of Llama, pre-norm blocks with rotary positions and a SwiGLU feed-forward, RMS norms, no biases. A value that exists
/// is valid: <see cref="ModelConfigReader"/> reports every fault at once.
/// </summary>
public sealed partial record ModelConfig
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

    /// <summary>Width of one head: even, at most 512; need not be ModelDim / HeadCount.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Width F of the feed-forward, or of an expert; of the widest where layers differ.</summary>
    public required int FfnDim { get; init; }

    /// <summary>What differs from layer to layer; null where all are alike.</summary>
    public LayerPattern? Pattern { get; init; }

    /// <summary>What training leaves as it is besides layers of a kind that is frozen; null: nothing.</summary>
    public FrozenTensors? Frozen { get; init; }

    /// <summary>The adapter that is trained or used with it, which leaves all else as it is; null: there is none.</summary>
    public ModelAdapter? Adapter { get; init; }

    /// <summary>
    /// What matrices of layers are stored in that training leaves as they are, which without an adapter are all; null: as the recipe says.
    /// </summary>
    public DType? BaseWeights { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public required double RopeTheta { get; init; }

    /// <summary>Added to the mean square in RMS norms.</summary>
    public required float RmsNormEps { get; init; }

    /// <summary>The head multiplies by the embedding table; one parameter, one gradient.</summary>
    public bool TiedEmbedding { get; init; }

    /// <summary>Attention's output is multiplied by the sigmoid of a product of its own, of the width of the queries (Qwen3.5).</summary>
    public bool AttentionGate { get; init; }

    /// <summary>Keys and values are of a latent vector (DeepSeek); null: of the input itself.</summary>
    public LatentAttention? Latent { get; init; }

    /// <summary>A logit of each head, which is a parameter, joins the softmax of every token, and attends to nothing (gpt-oss).</summary>
    public bool AttentionSinks { get; init; }

    /// <summary>RMS norm of queries and keys (Qwen3).</summary>
    public bool QkNorm { get; init; }

    /// <summary>What these norms are of.</summary>
    public QkNormKind QkNormKind { get; init; }

    /// <summary>Products of queries and keys are multiplied by it; null: 1 / sqrt(<see cref="HeadDim"/>).</summary>
    public double? AttentionScale { get; init; }

    /// <summary>Scores s become c tanh(s / c), after the scale and before the mask (Gemma 2); null: they stay.</summary>
    public double? AttentionSoftcap { get; init; }

    /// <summary>The longest sequence that it was made for; null if its file does not say.</summary>
    public int? MaxPositions { get; init; }

    /// <summary>The token whose row of the embedding table is not trained by its lookups, as padding has none; null for all rows.</summary>
    public int? PaddingId { get; init; }

    /// <summary>Which file it was read from.</summary>
    public ModelOrigin Origin { get; init; }

    /// <summary>What stretches rotary positions, where layers have none of their own; null: nothing.</summary>
    public RotaryScaling? RopeScaling { get; init; }

    /// <summary>So many of a head's dimensions are rotated; null: all.</summary>
    public int? RotaryDims { get; init; }

    /// <summary>In checkpoints, pairs that are rotated are neighbours; else halves.</summary>
    public bool RotatesNeighbours { get; init; }

    /// <summary>Rows of a table that holds a vector for each place in a document, added to its token's; null: there is none.</summary>
    public int? LearnedPositions { get; init; }

    /// <summary>
    /// Width P of what each layer takes of a token besides the stream, a part of a table's row and of the embedding's projection (Gemma 4);
    /// 0: layers take nothing.
    /// </summary>
    public int LayerInputDim { get; init; }

    /// <summary>Of all layers together.</summary>
    public int LayerInputsDim => LayerCount * LayerInputDim;

    /// <summary>Which norms it has.</summary>
    public NormKind Norm { get; init; }

    /// <summary>Added to the weights of norms: 1 where checkpoints hold them less one (Gemma).</summary>
    public int NormWeightOffset { get; init; }

    /// <summary>Where a block's norms stand.</summary>
    public NormPlacement Placement { get; init; }

    /// <summary>Which products have a bias.</summary>
    public Biases Biases { get; init; }

    /// <summary>Of the feed-forward.</summary>
    public Activation Activation { get; init; }

    /// <summary>The feed-forward multiplies the activation of a gate by a second product.</summary>
    public bool GatedFfn { get; init; } = true;

    /// <summary>
    /// Units of experts are clamped by a limit L: with g = min(gate, L) and u = clamp(up, -L, L) they are (u + 1) g sigma(1.702 g),
    /// whatever <see cref="Activation"/> is (gpt-oss). Null: they are not.
    /// </summary>
    public double? UnitLimit { get; init; }

    /// <summary>Embeddings are multiplied by this.</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>What attention and the feed-forward add to the stream is multiplied by this.</summary>
    public double ResidualScale { get; init; } = 1;

    /// <summary>All that a layer leaves is multiplied by a number that its checkpoint has (Gemma 4).</summary>
    public bool HasLayerScalars { get; init; }

    /// <summary>Logits are multiplied by this.</summary>
    public double LogitScale { get; init; } = 1;

    /// <summary>Logits are then bounded by this, as c tanh(x / c); null: they are not.</summary>
    public double? LogitSoftcap { get; init; }

    /// <summary>Embedding and head may be computed by blocks of their rows: not where something else lies along them.</summary>
    public bool MayCutVocabulary => !Biases.HasFlag(Biases.Head) && LearnedPositions is null && !HasEndsApart;

    /// <summary>Something of embedding and head is an object apart, trained where the rest is not, or the other way round.</summary>
    private bool HasEndsApart => Adapter is not null && DecoderVocabulary.Head(this)[^1].Group > 0;

    /// <summary>The same as a layer has it, whose norms may stand elsewhere than in the others.</summary>
    internal ModelConfig In(LayerKind kind) => kind.Placement is { } own && own != Placement ? this with { Placement = own } : this;

    /// <summary>Blocks have norms after attention and after the feed-forward.</summary>
    internal bool HasPostNorms => Placement is NormPlacement.After or NormPlacement.BeforeAndAfter;

    /// <summary>The feed-forward has a norm of its own before it.</summary>
    internal bool HasFfnNorm => Placement is NormPlacement.Before or NormPlacement.BeforeAndAfter or NormPlacement.Parallel;

    /// <summary>Names in checkpoints.</summary>
    internal DecoderNames Names => Origin.Family is { } family ? ModelFamily.Of(family).Names(this) : DecoderNames.Llama;

    /// <summary>The positions of a layer.</summary>
    public RotaryPositions PositionsOf(LayerKind kind) => kind.Positions ?? new RotaryPositions(RopeTheta, RopeScaling);

    /// <summary>The matrix that the head multiplies by.</summary>
    public WeightName HeadMatrix => TiedEmbedding ? WeightName.EmbeddingTable : WeightName.HeadMatrix;

    /// <summary>Width of all query heads together.</summary>
    public int QueryDim => HeadCount * HeadDim;

    /// <summary>Width of all key heads (or all value heads) together.</summary>
    public int KvDim => KvHeadCount * HeadDim;

    /// <summary>The heads of a layer's attention.</summary>
    public LayerHeads HeadsOf(LayerKind? kind) => kind?.Heads ?? new LayerHeads(HeadCount, KvHeadCount, HeadDim);

    /// <summary>Width of all heads' values together, as they go into the product behind a layer's attention.</summary>
    public int ValueDim(LayerKind? kind) => Latent is { } latent ? HeadCount * latent.ValueDim : HeadsOf(kind).QueryDim;

    /// <summary>Weights of the norm of queries in a layer, where there is one.</summary>
    public int QueryNormDim(LayerKind? kind) => NormsHaveOwnWeights ? HeadsOf(kind).QueryDim : HeadsOf(kind).HeadDim;

    /// <summary>Weights of the norm of keys, likewise.</summary>
    public int KeyNormDim(LayerKind? kind) => NormsHaveOwnWeights ? HeadsOf(kind).KvDim : HeadsOf(kind).HeadDim;

    /// <summary>Columns of what a layer projects: queries, and of keys and values what is its own.</summary>
    public int ProjectedDim(LayerKind? kind)
    {
        var heads = HeadsOf(kind);
        int own = Latent is not null ? 0 : kind switch { { SharesKv: true } => 0, { KeysAreValues: true } => 1, _ => 2 };
        return heads.QueryDim + (own * heads.KvDim);
    }

    private bool NormsHaveOwnWeights => QkNormKind is QkNormKind.Rows or QkNormKind.HeadsCentred;

    /// <summary>All layers from the input on.</summary>
    public IEnumerable<Layer> Layers => Enumerable.Range(0, LayerCount).Select(l => new Layer(l));

    /// <summary>The kind of each layer from the input on.</summary>
    public IEnumerable<LayerKind> Kinds =>
        Pattern is null && Left is null && BaseWeights is null
            ? Enumerable.Repeat(new LayerKind(FfnDim), LayerCount)
            : Layers.Select(KindOf);

    /// <summary>The kind of a layer.</summary>
    public LayerKind KindOf(Layer layer)
    {
        var kind = Pattern?[layer] ?? new LayerKind(FfnDim);
        kind = SharesKv && KvSourceOf(layer) == layer && !IsLastToReadKv(layer) ? kind with { KvIsRead = true } : kind;
        kind = BaseWeights is { } type ? kind with { FrozenType = type, Frozen = kind.Frozen || Adapter is null } : kind;
        return Left is null ? kind : kind with { FrozenWeights = Left.Of(layer), Adapter = Adapter?.Of(layer) };
    }

    /// <summary>Some layers attend to keys and values of others.</summary>
    public bool SharesKv => Pattern is { SharesKv: true };

    /// <summary>Some layers pass a state from chunk to chunk in place of keys and values.</summary>
    public bool HasStates => Pattern is { HasStates: true };

    /// <summary>Layers behind the last that its files hold besides, which predict further tokens: they are passed over.</summary>
    public int LayersBeyond { get; init; }

    /// <summary>Some layers are mixtures of experts.</summary>
    public bool HasExperts => Pattern is { HasExperts: true };

    /// <summary>Windows may be streamed by segment: of keys and values that one layer reads, which takes the stream alone.</summary>
    public bool MayStreamWindows => !SharesKv && !HasStates && LayerInputDim == 0;

    /// <summary>The layer whose keys and values a layer attends to: itself, or one below that has some.</summary>
    public Layer KvSourceOf(Layer layer) => SharesKv ? Pattern!.SharingOf(LayerCount).SourceOf(layer) : layer;

    /// <summary>Of the layers that attend to the same keys and values, this one is the last.</summary>
    public bool IsLastToReadKv(Layer layer) => !SharesKv || LastToReadKv(KvSourceOf(layer)) == layer;

    /// <summary>The last of the layers that attend to the keys and values of one that has some.</summary>
    public Layer LastToReadKv(Layer source) => SharesKv ? Pattern!.SharingOf(LayerCount).LastReaderOf(source) : source;

    /// <summary>Layers from the input on that no backward passes: nothing in or below them is trained.</summary>
    public int LayersWithoutBackward => Left?.LayersWithoutBackward ?? 0;

    /// <summary>Whether training changes a parameter of embedding or head.</summary>
    public bool Trains(WeightName ofEnds) => Left?.Trains(ofEnds) ?? true;

    /// <summary>Whether training changes the embedding, which a tied head shares.</summary>
    public bool TrainsEmbedding => Trains(WeightName.EmbeddingTable);

    /// <summary>Whether training changes what the head has of its own.</summary>
    public bool TrainsHead => Adapter is null ? Trains(WeightName.FinalNorm) : DecoderVocabulary.Head(this)[0].IsTrained;

    /// <summary>Whether a step goes back to the embedding.</summary>
    public bool HasEmbedBackward => TrainsEmbedding || Adapter is { AdaptsEmbedding: true };

    /// <summary>The same, of which training leaves tensors as they are.</summary>
    /// <param name="patterns">Of their names (<see cref="NamePattern"/>).</param>
    /// <exception cref="UserErrorException">That cannot be frozen.</exception>
    public ModelConfig Freezing(IEnumerable<string> patterns) => this with { Frozen = FrozenTensors.Of(this, patterns) };

    /// <summary>The same with an adapter, which alone is trained.</summary>
    /// <exception cref="UserErrorException">It cannot have that adapter.</exception>
    public ModelConfig Adapting(AdapterConfig adapter) =>
        Frozen is { } frozen
            ? throw new UserErrorException($"--freeze {frozen.Patterns}: an adapter freezes all of the model; leave out one of the two")
            : this with { Adapter = ModelAdapter.Of(this with { Adapter = null }, adapter) };

    /// <summary>The same whose layers' matrices that training leaves as they are are stored in a type.</summary>
    /// <param name="type">One of <see cref="DTypes.OfBase"/>; null: as the recipe says.</param>
    /// <exception cref="UserErrorException">A matrix cannot be stored so.</exception>
    public ModelConfig Storing(DType? type)
    {
        var stored = this with { BaseWeights = type };
        var cut = type is not { } blocks ? null
            : stored.Kinds.Distinct()
                .SelectMany(k => DecoderParameters.Of(stored, k))
                .FirstOrDefault(p => p.Storage == blocks && !p.HasWholeBlocks(blocks));
        return cut is null
            ? stored
            : throw new UserErrorException(
                $"--base-weights {type!.Value.Name()}: the rows of {cut.Parts[0].CheckpointName} lie otherwise in the files of {Name} than "
                    + $"in memory, or its {cut.Count} numbers are no whole blocks of {type.Value.ElementsPerScale()}: numbers would share "
                    + "a scale that share none in the file; give another type"
            );
    }

    /// <summary>The same without an adapter.</summary>
    public ModelConfig WithoutAdapter() => Adapter is null ? this : this with { Adapter = null };

    private FrozenTensors? Left => Adapter?.Frozen ?? Frozen;

    /// <summary>All numbers; a tied table counts once.</summary>
    public long ParameterCount =>
        Ends.Sum(p => p.Count) + KindCounts.Sum(k => k.Layers * BlockParameterCount(k.Kind));

    /// <summary>Those of them that training changes.</summary>
    public long TrainedParameterCount =>
        Ends.Where(p => p.IsTrained).Sum(p => p.Count)
        + KindCounts.Sum(k => k.Layers * DecoderParameters.Of(this, k.Kind).Where(p => p.IsTrained).Sum(p => p.Count));

    /// <summary>The checkpoint's tensors of those, and how many layers have each.</summary>
    internal IEnumerable<(int Layers, ParameterSpec Spec, WeightPart Part)> TrainedParts =>
        from objects in KindCounts.Select(k => (k.Layers, DecoderParameters.Of(this, k.Kind)))
            .Append((1, DecoderVocabulary.Embeddings(this)))
            .Append((1, DecoderVocabulary.Head(this)))
        from spec in objects.Item2
        where spec.IsTrained
        from part in spec.Parts
        select (objects.Item1, spec, part);

    /// <summary>Bytes of the others, as they are stored.</summary>
    public Bytes FrozenSize(Recipe recipe) =>
        new(
            Ends.Where(p => !p.IsTrained).Sum(p => recipe.Parameters.SizeOf(p.Count).Value)
            + KindCounts.Sum(k =>
                k.Layers
                * DecoderParameters
                    .Of(this, k.Kind)
                    .Where(p => !p.IsTrained)
                    .Sum(p => p.SizeIn(p.Storage ?? recipe.Parameters).Value)
            )
        );

    /// <summary>Numbers of one layer.</summary>
    public long LayerParameterCount(Layer layer) => BlockParameterCount(KindOf(layer));

    /// <summary>How many layers there are of each kind.</summary>
    private IEnumerable<(LayerKind Kind, int Layers)> KindCounts => Kinds.CountBy(k => k).Select(k => (k.Key, k.Value));

    private long AdapterParameterCount(LayerKind kind) =>
        kind.Adapter is null ? 0 : DecoderParameters.Of(this, kind).Where(p => p.Name.IsOfAdapter()).Sum(p => p.Count);

    // What has no gradient by itself counts as no parameter where models are published.
    private long BlockParameterCount(LayerKind kind) =>
        DecoderParameters.Of(this, kind).Where(p => !p.Name.IsBuffer()).Sum(p => p.Count);

    private IEnumerable<ParameterSpec> Ends => DecoderVocabulary.Embeddings(this).Concat(DecoderVocabulary.Head(this));
}
