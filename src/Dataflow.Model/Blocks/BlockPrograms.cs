using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// The block programs of a workload, laid out: those of each kind of layer, and those of embedding and head. A pure function of model,
/// recipe, geometry and save set, so that every device and the planner agree to the byte.
/// </summary>
public sealed class BlockPrograms
{
    private readonly ModelConfig model;
    private readonly Recipe recipe;
    private readonly bool weighted;
    private readonly bool paired;
    private readonly VocabularyRows inputRows;
    private readonly ProgramLayout layout;
    private readonly Dictionary<(string, int), BlockProgram> cache = [];
    private readonly int[] kindOf;
    private readonly Bytes?[] activationsSizes = new Bytes?[(int)SaveSet.All + 1];

    /// <summary>Lays out parameters for a workload; programs are made when first asked for.</summary>
    public BlockPrograms(ModelConfig model, Recipe recipe, Geometry geometry)
    {
        (this.model, this.recipe, weighted, paired) = (model, recipe, geometry.TargetWeights, geometry.Pairs);
        Vocabulary = new VocabularyRows(model.VocabSize, geometry.VocabularyBlocks) { TwoPasses = paired };
        bool cutsInputs = model.LayerInputDim > 0 && Vocabulary.AreCut;
        inputRows = cutsInputs ? Vocabulary.OfWidth(model.ModelDim, model.LayerInputsDim) : default;
        EmbeddingLayouts =
        [
            .. RowLayouts(WeightName.EmbeddingTable, Vocabulary),
            .. cutsInputs ? RowLayouts(WeightName.LayerInputTable, inputRows).Add(ParameterLayout.InputProjection(model)) : [],
        ];
        EmbeddingBlocks = Vocabulary.AreCut ? Passing(Vocabulary.Count, EmbeddingLayouts.Length) : [null];
        var head = ParameterLayout.Head(model).Parts();
        HeadLayout = Vocabulary.AreCut ? ParameterLayout.HeadNorm(model) : head[0];
        ApartLayout = Vocabulary.AreCut ? null : head.ElementAtOrDefault(1);
        HeadBlockLayouts = Vocabulary.AreCut && !model.TiedEmbedding ? RowLayouts(WeightName.HeadMatrix, Vocabulary) : [];
        var shapes = new TensorShapes(model, recipe, geometry, kind: null);
        layout = new ProgramLayout(
            shapes,
            (operand, calls, rows) => IsOfRanks(operand) ? RanksOf(shapes, operand) : WeightPlace(operand, calls, rows));
        StreamSize = shapes.Of(TensorName.Input).Size;
        LogitStatisticsSize = shapes.Of(TensorName.LogitStatistics).Size;
        LayerInputsSize = model.LayerInputDim > 0 ? shapes.Of(TensorName.LayerInputs).Size : Bytes.Zero;
        GradHeadSize = shapes.Of(TensorName.GradHeadSum).Size;
        TableSize = ChunkTable.Size(model, geometry);
        Kinds = [.. model.Kinds.Distinct().Select(k => new LayerPrograms(model, k, recipe, geometry))];
        var distinct = Kinds.Select(k => k.Kind).ToList();
        KvPieceSize = Most(k => k.KvPieceSize);
        GradKvPieceSize = Most(k => k.GradKvPieceSize);
        kindOf = [.. model.Kinds.Select(k => distinct.IndexOf(k))];
    }

    /// <summary>The programs of a layer; layers of one kind share them.</summary>
    public LayerPrograms this[Layer layer] => Kinds[KindIndex(layer)];

    /// <summary>Those of each kind of layer, once, in the order of their first layers.</summary>
    public ImmutableArray<LayerPrograms> Kinds { get; }

    /// <summary>Index of a layer's programs among <see cref="Kinds"/>.</summary>
    public int KindIndex(Layer layer) => kindOf[layer.Index];

    /// <summary>How the rows of embedding and head are cut.</summary>
    public VocabularyRows Vocabulary { get; }

    /// <summary>
    /// Layouts of the embedding's parameters; one where they are not cut, else blocks of the table's rows. Where layers have inputs of
    /// tokens, blocks of rows of their table follow, about as large, and last of all what these inputs are projected by.
    /// </summary>
    public ImmutableArray<ParameterLayout> EmbeddingLayouts { get; }

    /// <summary>
    /// The embedding's blocks in the order in which tokens pass them, and back the other way round: those of the table from the last, what
    /// layers' inputs are projected by, those of their table. A single null where it is not cut.
    /// </summary>
    public ImmutableArray<VocabularyBlock?> EmbeddingBlocks { get; }

    /// <summary>The gradient of the embedding, or of a block of it, begins in the head, which has the same matrix.</summary>
    public bool BeginsInHead(VocabularyBlock? block) => model.TiedEmbedding && (block is not { } b || b.Index < Vocabulary.Count);

    /// <summary>Id of the first row of a block of the embedding or of the head.</summary>
    public int FirstId(VocabularyBlock block) =>
        IsOfInputs(block) ? inputRows.First(OfInputs(block)) : Vocabulary.First(block);

    /// <summary>Layout of the head's own parameters, blocks of its matrix apart.</summary>
    public ParameterLayout HeadLayout { get; }

    /// <summary>
    /// Layout of what of embedding and head lies apart, because it is trained and the rest is not, or the other way round: adapters of
    /// either, or the norm. Null: nothing does.
    /// </summary>
    public ParameterLayout? ApartLayout { get; }

    /// <summary>Layouts of the blocks of the head's own matrix; none where it is not cut or tied.</summary>
    public ImmutableArray<ParameterLayout> HeadBlockLayouts { get; }

    /// <summary>Bytes of a chunk's table.</summary>
    public Bytes TableSize { get; }

    /// <summary>Bytes of a chunk's residual stream (and of its gradient).</summary>
    public Bytes StreamSize { get; }

    /// <summary>Bytes of what layers take of a chunk's tokens besides the stream.</summary>
    public Bytes LayerInputsSize { get; }

    /// <summary>Bytes of one chunk's K and V in the layers where they take most.</summary>
    public Bytes KvPieceSize { get; }

    /// <summary>Bytes of their gradients (fp32).</summary>
    public Bytes GradKvPieceSize { get; }

    /// <summary>Bytes of a chunk's statistics of logits.</summary>
    public Bytes LogitStatisticsSize { get; }

    /// <summary>Bytes of the gradient of a chunk's normed head input (fp32).</summary>
    public Bytes GradHeadSize { get; }

    /// <summary>Bytes of scratch of a norm over any parameter object's gradient.</summary>
    public Bytes NormScratch =>
        EmbeddingLayouts
            .Append(HeadLayout)
            .Concat(ApartLayout is { } apart ? [apart] : [])
            .Concat(Kinds.SelectMany(k => k.Parts))
            .Select(KernelWorkspace.SquaredSum)
            .Aggregate(Bytes.Max);

    /// <summary>Bytes of the activation object in the layers where it takes most.</summary>
    public Bytes ActivationsSize(SaveSet saved) => 
        activationsSizes[(int)saved] ??= Most(saved, static (k, set) => k.ActivationsSize(set));

    /// <summary>The most that layers of any kind need of something.</summary>
    public Bytes Most(Func<LayerPrograms, Bytes> of) => Most(of, static (kind, of) => of(kind));

    /// <summary>The same, of what it is given: nothing need be captured.</summary>
    private Bytes Most<T>(T given, Func<LayerPrograms, T, Bytes> of)
    {
        var most = Bytes.Zero;
        foreach (var kind in Kinds)
        {
            most = Bytes.Max(most, of(kind, given));
        }

        return most;
    }

    /// <summary>Token ids to the first block's input and to what layers take besides, or what a block does of that.</summary>
    public BlockProgram Embed(VocabularyBlock? block) =>
        block is not { } b ? OfEmbedding("embed", block, DecoderVocabulary.Embed)
        : IsProjection(b) ? OfEmbedding("embed-project", block, m => DecoderVocabulary.ProjectInputs(m, TensorName.Input))
        : IsOfInputs(b) ? OfEmbedding("embed-inputs", block, DecoderVocabulary.AddInputRows)
        : OfEmbedding("embed-rows", block, DecoderVocabulary.EmbedRows);

    /// <summary>Gradients of the stream and of what layers took to those of the embedding, or of a block of it.</summary>
    public BlockProgram EmbedBackward(VocabularyBlock? block) =>
        block is not { } b ? OfEmbedding("embed-backward", block, DecoderVocabulary.EmbedBackward)
        : IsProjection(b) ? OfEmbedding("embed-project-backward", block, DecoderVocabulary.ProjectInputsBackward)
        : IsOfInputs(b) ? OfEmbedding("embed-inputs-backward", block, DecoderVocabulary.AddInputRowsBackward)
        : OfEmbedding("embed-rows-backward", block, DecoderVocabulary.EmbedRowsBackward);

    /// <summary>The whole head of a chunk, a sub-chunk at a time: the loss and back.</summary>
    public BlockProgram Head() => OfHead("head", null, WithRouterLosses(DecoderVocabulary.HeadCalls), DecoderVocabulary.HeadCalls);

    /// <summary>The loss alone, in the places that it has in the whole head.</summary>
    public BlockProgram Evaluate() => OfHead("evaluate", null, DecoderVocabulary.Evaluate, DecoderVocabulary.HeadCalls);

    /// <summary>Logits of the tokens that are asked for, or those of a block of the vocabulary.</summary>
    public BlockProgram Logits(VocabularyBlock? block) =>
        Cached("logits", block, DecoderVocabulary.LogitCalls, DecoderVocabulary.LogitCalls, bySubChunk: false);

    /// <summary>A block of the vocabulary in the loss of a chunk, a sub-chunk at a time; the last one ends with the loss.</summary>
    public BlockProgram HeadLoss(VocabularyBlock block) =>
        block == Vocabulary.Last
            ? OfHead("head-last-loss", block, WithRouterLosses(DecoderVocabulary.HeadLastLoss), DecoderVocabulary.HeadLastLoss)
            : OfHead("head-loss", block, DecoderVocabulary.HeadLoss, DecoderVocabulary.HeadLastLoss);

    /// <summary>The same back, from the last block to the first, which ends with the norm.</summary>
    public BlockProgram HeadBackward(VocabularyBlock block) =>
        block.Index == 0
            ? OfHead("head-first-backward", block, DecoderVocabulary.HeadFirstBackward, DecoderVocabulary.HeadFirstBackward)
            : OfHead("head-backward", block, DecoderVocabulary.HeadBackward, DecoderVocabulary.HeadFirstBackward);

    private ImmutableArray<ParameterLayout> RowLayouts(WeightName name, VocabularyRows table) => Vocabulary.AreCut
        ? [.. table.Blocks.Select(b => ParameterLayout.RowBlock(model, name, table.RowsOf(b)))]
        : [ParameterLayout.Embedding(model)];

    private static ImmutableArray<VocabularyBlock?> Passing(int ofTable, int all)
    {
        IEnumerable<int> order = [.. Enumerable.Range(0, ofTable).Reverse()];
        order = all == ofTable ? order : [.. order, all - 1, .. Enumerable.Range(ofTable, all - 1 - ofTable)];
        return [.. order.Select(b => (VocabularyBlock?)new VocabularyBlock(b))];
    }

    private bool IsOfInputs(VocabularyBlock block) => block.Index >= Vocabulary.Count && !IsProjection(block);

    private bool IsProjection(VocabularyBlock block) => block.Index >= Vocabulary.Count && block.Index == EmbeddingLayouts.Length - 1;

    private VocabularyBlock OfInputs(VocabularyBlock block) => new(block.Index - Vocabulary.Count);

    private int RowsOf(VocabularyBlock block) =>
        IsProjection(block) ? 0
        : IsOfInputs(block) ? inputRows.RowsOf(OfInputs(block))
        : Vocabulary.RowsOf(block);

    private BlockProgram OfEmbedding(string name, VocabularyBlock? block, Func<ModelConfig, ImmutableArray<KernelCall>> callsOf) =>
        Cached(name, block, callsOf, callsOf, bySubChunk: false);

    private BlockProgram OfHead(
        string name,
        VocabularyBlock? block,
        Func<ModelConfig, ImmutableArray<KernelCall>> callsOf,
        Func<ModelConfig, ImmutableArray<KernelCall>> pass
    ) => Cached(name, block, callsOf, pass, bySubChunk: true);

    /// <param name="name">The program's.</param>
    /// <param name="block">Of the vocabulary, if it is cut.</param>
    /// <param name="callsOf">What runs.</param>
    /// <param name="pass">What else lies in the same scratch: the places are the same for every block of a pass.</param>
    /// <param name="bySubChunk">All calls but that of the chunk's loss run once for each sub-chunk.</param>
    private BlockProgram Cached(
        string name,
        VocabularyBlock? block,
        Func<ModelConfig, ImmutableArray<KernelCall>> callsOf,
        Func<ModelConfig, ImmutableArray<KernelCall>> pass,
        bool bySubChunk
    )
    {
        int rows = block is { } b ? RowsOf(b) : model.VocabSize;
        if (!cache.TryGetValue((name, rows), out var program))
        {
            var calls = WithWideBias(Paired(Weighted(callsOf(model))));
            program = layout.Lay(calls, WithWideBias(Paired(Weighted(pass(model)))), ImmutableDictionary<TensorName, Bytes>.Empty, rows);
            cache[(name, rows)] = program = bySubChunk
                ? program with
                {
                    SubChunkCalls = calls.Count(c => c is not (CrossEntropyLossCall or ExpertLoadLossCall or PreferenceSumsCall)),
                }
                : program;
        }

        return program;
    }

    /// <summary>With the losses of routers behind that of the targets, where there are some.</summary>
    private static Func<ModelConfig, ImmutableArray<KernelCall>> WithRouterLosses(Func<ModelConfig, ImmutableArray<KernelCall>> callsOf) =>
        model => model.HasRouterLosses
            ? callsOf(model).Add(new ExpertLoadLossCall { Load = TensorName.ExpertLoad, Loss = TensorName.Loss })
            : callsOf(model);

    /// <summary>Where targets have weights, the loss and its gradient read them.</summary>
    private ImmutableArray<KernelCall> Weighted(ImmutableArray<KernelCall> calls) =>
        !weighted
            ? calls
            :
            [
                .. calls.Select(call =>
                    call switch
                    {
                        CrossEntropyCall whole => whole with { Weights = TensorName.TargetWeights },
                        CrossEntropyLossCall loss => loss with { Weights = TensorName.TargetWeights },
                        CrossEntropyGradientCall block => block with { Weights = TensorName.TargetWeights },
                        _ => call,
                    }
                ),
            ];

    /// <summary>
    /// Where documents are pairs, sums of log-probabilities are in the place of the loss, and what follows from those of a pair is the
    /// weight of its targets.
    /// </summary>
    private ImmutableArray<KernelCall> Paired(ImmutableArray<KernelCall> calls) =>
        !paired
            ? calls
            :
            [
                .. calls.SelectMany(call =>
                    call switch
                    {
                        CrossEntropyLossCall loss =>
                        [
                            new PreferenceSumsCall
                            {
                                Targets = loss.Targets,
                                Sequences = TensorName.Sequences,
                                Statistics = loss.Statistics,
                                Pairs = TensorName.Pairs,
                            },
                        ],
                        CrossEntropyGradientCall gradient => new KernelCall[]
                        {
                            new PreferenceWeightsCall
                            {
                                Targets = gradient.Targets,
                                Sequences = TensorName.Sequences,
                                Pairs = TensorName.Pairs,
                                Weights = TensorName.PairWeights,
                            },
                            gradient with { Weights = TensorName.PairWeights },
                        },
                        _ => [call],
                    }
                ),
            ];

    /// <summary>
    /// Products add a bias of their result's type, and logits are fp32: a bias of another is copied into fp32 before each.
    /// </summary>
    private ImmutableArray<KernelCall> WithWideBias(ImmutableArray<KernelCall> calls) =>
        recipe.Parameters == DType.Float32
            ? calls
            :
            [
                .. calls.SelectMany(call =>
                    call is GemmForwardCall { Bias: { Weight: WeightName.HeadBias, Tensor: TensorName.Weight } bias } product
                        ? new KernelCall[]
                        {
                            new DequantizeCall { Stored = bias, Dense = TensorName.HeadBias },
                            product with { Bias = TensorName.HeadBias },
                        }
                        : [call]
                ),
            ];

    private static bool IsOfRanks(Operand operand) => operand.Tensor is TensorName.LowRank or TensorName.GradLowRank or TensorName.Dropped;

    private TensorPlace RanksOf(TensorShapes shapes, Operand operand)
    {
        int ranks = operand.Tensor == TensorName.Dropped ? model.ModelDim : model.Adapter!.Ends!.RanksOf(operand.Weight);
        return operand.Weight == WeightName.HeadMatrix ? shapes.LowRankOfHead(ranks) : shapes.LowRank(ranks);
    }

    private TensorPlace WeightPlace(Operand operand, ImmutableArray<KernelCall> calls, int rows)
    {
        bool gradient = operand.Tensor == TensorName.WeightGradient;
        var type = gradient ? recipe.Gradients : recipe.Parameters;
        string role = gradient ? Roles.Gradients : Roles.Weights;
        var name = operand.Weight;

        if (ApartLayout is { } apart && apart.Has(name))
        {
            var own = apart[name];
            string part = gradient ? Roles.GradientsOf(1) : Roles.WeightsOf(1);
            return new TensorPlace(part, new Bytes(own.ElementOffset * type.Size()), type, own.Rows, own.Columns);
        }

        // The embedding has no products with the table.
        bool ofHead = calls.Any(c => c is GemmForwardCall product && product.B.Weight == model.HeadMatrix);
        if (Vocabulary.AreCut && name is WeightName.EmbeddingTable or WeightName.HeadMatrix)
        {
            string blockRole = gradient ? Roles.HeadBlockGradients : Roles.HeadBlock;
            return new TensorPlace(ofHead ? blockRole : role, Bytes.Zero, type, rows, model.ModelDim);
        }

        if (Vocabulary.AreCut && name == WeightName.LayerInputTable)
        {
            return new TensorPlace(role, Bytes.Zero, type, rows, model.LayerInputsDim);
        }

        // What layers' inputs are projected by is the last of the blocks.
        bool ofEmbedding = name == WeightName.EmbeddingTable || name.IsBesideEmbedding();
        var tensor = (ofEmbedding ? EmbeddingLayouts[^1] : HeadLayout)[name];
        bool tied = ofEmbedding && ofHead;
        string tiedRole = gradient ? Roles.TiedGradients : Roles.TiedWeights;
        return new TensorPlace(tied ? tiedRole : role, new Bytes(tensor.ElementOffset * type.Size()), type, tensor.Rows, tensor.Columns);
    }
}
