using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// The block programs of a workload, laid out: for every compute op the kernel calls and the place of each tensor. A pure function of
/// model, recipe, geometry and save set, so that every device and the planner agree to the byte.
/// </summary>
public sealed partial class BlockPrograms
{
    private readonly ModelConfig model;
    private readonly Recipe recipe;
    private readonly Geometry geometry;
    private readonly Dictionary<(string, SaveSet, int), BlockProgram> cache = [];
    private readonly Bytes?[] activationsSizes = new Bytes?[(int)SaveSet.All + 1];

    /// <summary>Lays out parameters, saved activations and scratch for a workload; programs are made when first asked for.</summary>
    public BlockPrograms(ModelConfig model, Recipe recipe, Geometry geometry)
    {
        (this.model, this.recipe, this.geometry) = (model, recipe, geometry);
        Vocabulary = new VocabularyRows(model.VocabSize, geometry.VocabularyBlocks);
        EmbeddingLayouts = RowLayouts(WeightName.EmbeddingTable);
        BlockLayout = ParameterLayout.Block(model);
        HeadLayout = Vocabulary.AreCut ? ParameterLayout.HeadNorm(model) : ParameterLayout.Head(model);
        HeadBlockLayouts = Vocabulary.AreCut && !model.TiedEmbedding ? RowLayouts(WeightName.HeadMatrix) : [];
        StreamSize = Shape(TensorName.Input).Size;
        KvPieceSize = Shape(TensorName.KvPiece).Size;
        GradKvPieceSize = Shape(TensorName.GradKvPiece).Size;
    }

    /// <summary>How the rows of embedding and head are cut.</summary>
    public VocabularyRows Vocabulary { get; }

    /// <summary>Layouts of the embedding's parameters, a block of rows each; one where they are not cut.</summary>
    public ImmutableArray<ParameterLayout> EmbeddingLayouts { get; }

    /// <summary>Layout of a block's parameters.</summary>
    public ParameterLayout BlockLayout { get; }

    /// <summary>Layout of the head's own parameters, blocks of its matrix apart.</summary>
    public ParameterLayout HeadLayout { get; }

    /// <summary>Layouts of the blocks of the head's own matrix; none where it is not cut or tied.</summary>
    public ImmutableArray<ParameterLayout> HeadBlockLayouts { get; }

    /// <summary>Bytes of a chunk's statistics of logits.</summary>
    public Bytes LogitStatisticsSize => Shape(TensorName.LogitStatistics).Size;

    /// <summary>Bytes of the gradient of a chunk's normed head input (fp32).</summary>
    public Bytes GradHeadSize => Shape(TensorName.GradHeadSum).Size;

    /// <summary>Bytes of scratch of a norm over any parameter object's gradient.</summary>
    public Bytes NormScratch =>
        EmbeddingLayouts.Append(BlockLayout).Append(HeadLayout).Select(KernelWorkspace.SquaredSum).Aggregate(Bytes.Max);

    /// <summary>Bytes of a chunk's residual stream (and of its gradient).</summary>
    public Bytes StreamSize { get; }

    /// <summary>Bytes of one chunk's K and V.</summary>
    public Bytes KvPieceSize { get; }

    /// <summary>Bytes of one chunk's dK and dV (fp32).</summary>
    public Bytes GradKvPieceSize { get; }

    /// <summary>Bytes of the activation object (input and K,V are objects of their own).</summary>
    public Bytes ActivationsSize(SaveSet saved) => activationsSizes[(int)saved] ??= Layout(saved).Length;

    /// <summary>Whether a backward needs a recompute op before it; otherwise its own norms are all that is repeated.</summary>
    public bool NeedsRecompute(SaveSet saved) => Missing(saved) != SaveSet.None;

    /// <summary>What a recompute op must yield for the backward of a chunk, K,V of a window apart.</summary>
    public SaveSet Missing(SaveSet saved) => SaveSet.All & ~saved & ~(geometry.ChunksPerGroup > 1 ? SaveSet.Kv : SaveSet.None);

    /// <summary>A block's forward.</summary>
    public BlockProgram Forward(SaveSet saved) => Cached("forward", saved, static (p, saved) =>
    {
        var calls = BlockCalls.Forward(p.model);
        return p.Lay(calls, calls, p.Layout(saved).Offsets);
    });

    /// <summary>What the backward lacks, left in the scratch that the backward reads.</summary>
    public BlockProgram Recompute(SaveSet saved) => Cached("recompute", saved, static (p, saved) =>
    {
        var (recompute, backward) = p.Halves(saved);
        return p.Lay(recompute, [.. recompute, .. backward], p.Layout(saved).Offsets);
    });

    /// <summary>K and V of one chunk alone, into the window, before the backward of its group.</summary>
    public BlockProgram RecomputeKv() => Cached("recompute-kv", SaveSet.None, static (p, _) =>
    {
        var calls = BlockCalls.Recompute(p.model, [TensorName.KvPiece], new HashSet<TensorName> { TensorName.Input });
        return p.Lay(calls, calls, ImmutableDictionary<TensorName, Bytes>.Empty);
    });

    /// <summary>A block's backward; it finds what was recomputed in scratch.</summary>
    public BlockProgram Backward(SaveSet saved) => Cached("backward", saved, static (p, saved) =>
    {
        var (recompute, backward) = p.Halves(saved);
        ImmutableArray<KernelCall> all = [.. recompute, .. backward];
        return p.Lay(p.NeedsRecompute(saved) ? backward : all, all, p.Layout(saved).Offsets);
    });

    /// <summary>Token ids to the first block's input, for ids in a block of the vocabulary if it is cut.</summary>
    public BlockProgram Embed(VocabularyBlock? block) => Simple("embed", block, static _ => VocabularyCalls.Embed());

    /// <summary>Stream gradient to the table's gradient, or to a block of it.</summary>
    public BlockProgram EmbedBackward(VocabularyBlock? block) =>
        Simple("embed-backward", block, static _ => VocabularyCalls.EmbedBackward());

    /// <summary>The whole head of a chunk, a sub-chunk at a time: the loss and back.</summary>
    public BlockProgram Head() => OfHead("head", null, VocabularyCalls.Head, VocabularyCalls.Head);

    /// <summary>The loss alone, in the places that it has in the whole head.</summary>
    public BlockProgram Evaluate() => OfHead("evaluate", null, VocabularyCalls.Evaluate, VocabularyCalls.Head);

    /// <summary>A block of the vocabulary in the loss of a chunk, a sub-chunk at a time; the last one ends with the loss.</summary>
    public BlockProgram HeadLoss(VocabularyBlock block) =>
        block == Vocabulary.Last
            ? OfHead("head-last-loss", block, VocabularyCalls.HeadLastLoss, VocabularyCalls.HeadLastLoss)
            : OfHead("head-loss", block, VocabularyCalls.HeadLoss, VocabularyCalls.HeadLastLoss);

    /// <summary>The same back, from the last block to the first, which ends with the norm.</summary>
    public BlockProgram HeadBackward(VocabularyBlock block) =>
        block.Index == 0
            ? OfHead("head-first-backward", block, VocabularyCalls.HeadFirstBackward, VocabularyCalls.HeadFirstBackward)
            : OfHead("head-backward", block, VocabularyCalls.HeadBackward, VocabularyCalls.HeadFirstBackward);

    private ImmutableArray<ParameterLayout> RowLayouts(WeightName name) => Vocabulary.AreCut
        ? [.. Vocabulary.Blocks.Select(b => ParameterLayout.RowBlock(model, name, Vocabulary.RowsOf(b)))]
        : [ParameterLayout.Embedding(model)];

    private BlockProgram Simple(string name, VocabularyBlock? block, Func<ModelConfig, ImmutableArray<KernelCall>> callsOf)
    {
        int rows = RowsOf(block);
        return cache.TryGetValue((name, SaveSet.None, rows), out var program)
            ? program
            : cache[(name, SaveSet.None, rows)] = LaySimple(callsOf(model), callsOf(model), rows);
    }

    /// <param name="name">The program's.</param>
    /// <param name="block">Of the vocabulary, if it is cut.</param>
    /// <param name="callsOf">What runs.</param>
    /// <param name="pass">What else lies in the same scratch: the places are the same for every block of a pass.</param>
    private BlockProgram OfHead(
        string name,
        VocabularyBlock? block,
        Func<ModelConfig, ImmutableArray<KernelCall>> callsOf,
        Func<ModelConfig, ImmutableArray<KernelCall>> pass
    )
    {
        int rows = RowsOf(block);
        if (!cache.TryGetValue((name, SaveSet.None, rows), out var program))
        {
            var calls = callsOf(model);
            program = LaySimple(calls, pass(model), rows) with { SubChunkCalls = calls.Count(c => c is not CrossEntropyLossCall) };
            cache[(name, SaveSet.None, rows)] = program;
        }

        return program;
    }

    private int RowsOf(VocabularyBlock? block) => block is { } b ? Vocabulary.RowsOf(b) : model.VocabSize;

    private BlockProgram LaySimple(ImmutableArray<KernelCall> calls, ImmutableArray<KernelCall> lifetimes, int rows) =>
        Lay(calls, lifetimes, ImmutableDictionary<TensorName, Bytes>.Empty, rows);

    // What makes a program captures nothing: planning asks for one at every op.
    private BlockProgram Cached(string name, SaveSet saved, Func<BlockPrograms, SaveSet, BlockProgram> make) =>
        cache.TryGetValue((name, saved, 0), out var program) ? program : cache[(name, saved, 0)] = make(this, saved);

    private (ImmutableArray<KernelCall> Recompute, ImmutableArray<KernelCall> Backward) Halves(SaveSet saved)
    {
        var backward = BlockCalls.Backward(model);
        var available = new HashSet<TensorName>(SavedTensors(saved)) { TensorName.Input };
        if (saved.HasFlag(SaveSet.Kv) || geometry.ChunksPerGroup > 1)
        {
            available.UnionWith([TensorName.KvPiece, TensorName.KvWindow]);
        }

        var produced = BlockCalls.Forward(model).SelectMany(c => c.Writes).Select(o => o.Tensor).ToHashSet();
        var wanted = backward.SelectMany(c => c.Reads.Concat(c.Updates)).Select(o => o.Tensor)
            .Select(t => t == TensorName.KvWindow ? TensorName.KvPiece : t)
            .Where(t => produced.Contains(t) && t is not (TensorName.Output or TensorName.Ffn));
        return (BlockCalls.Recompute(model, wanted, available), backward);
    }

    /// <summary>The tensors of the activation object, in order; with QK-norm the raw product stands for the query.</summary>
    private IEnumerable<TensorName> SavedTensors(SaveSet saved)
    {
        // First, so that what is kept before attention and what is kept after it are one range each.
        if (saved.HasFlag(SaveSet.Query))
        {
            yield return model.QkNorm ? TensorName.Qkv : TensorName.Query;
        }

        if (saved.HasFlag(SaveSet.Attention))
        {
            yield return TensorName.AttentionOut;
            yield return TensorName.Lse;
        }

        if (saved.HasFlag(SaveSet.Residual))
        {
            yield return TensorName.Residual;
        }

        if (saved.HasFlag(SaveSet.GateUp))
        {
            yield return TensorName.GateUp;
        }
    }

    private (ImmutableDictionary<TensorName, Bytes> Offsets, Bytes Length) Layout(SaveSet saved)
    {
        var offsets = ImmutableDictionary.CreateBuilder<TensorName, Bytes>();
        var length = Bytes.Zero;
        foreach (var tensor in SavedTensors(saved))
        {
            offsets[tensor] = length;
            length += Shape(tensor).Size.Aligned;
        }

        return (offsets.ToImmutable(), length);
    }

    private BlockProgram Lay(
        ImmutableArray<KernelCall> calls,
        ImmutableArray<KernelCall> lifetimes,
        ImmutableDictionary<TensorName, Bytes> saved,
        int rows = 0
    )
    {
        var sizes = lifetimes
            .SelectMany(c => c.Operands)
            .Select(o => o.Tensor)
            .Distinct()
            .Where(t =>
                !saved.ContainsKey(t) && t is not (TensorName.Weight or TensorName.WeightGradient) && Shape(t).Role == Roles.Scratch
            )
            .ToDictionary(t => t, t => Shape(t, rows).Size);
        var (scratch, length) = ScratchLayout.Of(lifetimes, sizes);
        var places = ImmutableDictionary.CreateBuilder<Operand, TensorPlace>();
        foreach (var operand in calls.SelectMany(c => c.Operands).Distinct())
        {
            places[operand] = operand.Tensor switch
            {
                TensorName.Weight => WeightPlace(
                    operand.Weight,
                    recipe.Parameters,
                    Roles.Weights,
                    Roles.TiedWeights,
                    Roles.HeadBlock,
                    calls,
                    rows
                ),
                TensorName.WeightGradient => WeightPlace(
                    operand.Weight,
                    recipe.Gradients,
                    Roles.Gradients,
                    Roles.TiedGradients,
                    Roles.HeadBlockGradients,
                    calls,
                    rows
                ),
                var t when saved.TryGetValue(t, out var offset) => Shape(t) with { Role = Roles.Activations, Offset = offset },
                var t when scratch.TryGetValue(t, out var offset) => Shape(t, rows) with { Offset = offset },
                var t => Shape(t, rows),
            };
        }

        return new BlockProgram(calls, places.ToImmutable(), length);
    }

    private TensorPlace WeightPlace(
        WeightName name,
        DType type,
        string role,
        string tiedRole,
        string blockRole,
        ImmutableArray<KernelCall> calls,
        int rows
    )
    {
        bool inHead = calls.Any(c => c is CrossEntropyCall);
        if (Vocabulary.AreCut && name is WeightName.EmbeddingTable or WeightName.HeadMatrix)
        {
            bool inCutHead = calls.Any(c => c is CrossEntropyStatisticsCall or CrossEntropyGradientCall);
            return new TensorPlace(inCutHead ? blockRole : role, Bytes.Zero, type, rows, model.ModelDim);
        }

        var layout = name switch
        {
            WeightName.EmbeddingTable => EmbeddingLayouts[0],
            WeightName.FinalNorm or WeightName.HeadMatrix => HeadLayout,
            _ => BlockLayout,
        };
        var tensor = layout[name];
        bool tied = inHead && name == WeightName.EmbeddingTable;
        return new TensorPlace(tied ? tiedRole : role, new Bytes(tensor.ElementOffset * type.Size()), type, tensor.Rows, tensor.Columns);
    }

    /// <summary>The most that a kernel in stages keeps, of a chunk or of a head sub-chunk.</summary>
    private Bytes PartialsSize
    {
        get
        {
            var (t, th, d) = (geometry.ChunkTokens, geometry.HeadTokens, model.ModelDim);
            var norms = Bytes.Max(KernelWorkspace.RmsNorm(t, d), KernelWorkspace.RmsNorm(th, d));
            var rows = Bytes.Max(KernelWorkspace.CrossEntropy(th), model.QkNorm ? KernelWorkspace.QkNorm(t, model.HeadDim) : Bytes.Zero);
            return Bytes.Max(norms, rows);
        }
    }

    /// <summary>Shape, dtype and home role of a tensor; scratch unless it is an object of its own.</summary>
    /// <param name="tensor">The name that kernel calls give it.</param>
    /// <param name="rows">Of the vocabulary, where the program's block has them.</param>
    private TensorPlace Shape(TensorName tensor, int rows = 0)
    {
        var a = recipe.Activations;
        long t = geometry.ChunkTokens, th = geometry.HeadTokens, d = model.ModelDim, f = model.FfnDim;
        long q = model.QueryDim, kv = 2L * model.KvDim;
        TensorPlace Scratch(DType type, long rows, long columns) => new(Roles.Scratch, Bytes.Zero, type, rows, columns);
        TensorPlace Own(string role, DType type, long rows, long columns, long offset = 0) =>
            new(role, new Bytes(offset), type, rows, columns);
        TensorPlace Tokens(string role, DType type, long columns, long offset = 0) =>
            Own(role, type, t, columns, offset) with { Tokens = TokenAxis.Rows };
        TensorPlace SubChunk(DType type, long columns) => Scratch(type, th, columns) with { Tokens = TokenAxis.SubChunkRows };
        return tensor switch
        {
            TensorName.Ids => Tokens(Roles.Table, DType.Int32, 1),
            TensorName.Targets => Tokens(Roles.Table, DType.Int32, 1, 4 * t),
            TensorName.FirstKey => Tokens(Roles.Table, DType.Int32, 1, 8 * t),
            TensorName.Order => Tokens(Roles.Table, DType.Int32, 1, 12 * t),
            TensorName.Input => Tokens(Roles.Input, a, d),
            TensorName.Output => Tokens(Roles.Output, a, d),
            TensorName.GradStream => Tokens(Roles.GradStream, a, d),
            TensorName.KvPiece => Own(Roles.Kv, a, t, kv),
            TensorName.KvWindow => Own(Roles.Kv, a, geometry.WindowRows, kv),
            TensorName.KvSegment => Own(Roles.Kv, a, t, kv),
            TensorName.GradKvPiece => Own(Roles.GradKv, DType.Float32, t, kv),
            TensorName.GradKvWindow => Own(Roles.GradKv, DType.Float32, geometry.WindowRows, kv),
            TensorName.GradKvSegment => Own(Roles.GradKv, DType.Float32, t, kv),
            TensorName.Loss => Own(Roles.Loss, DType.Float32, 1, 1),
            TensorName.Norm1 or TensorName.Norm2 or TensorName.Residual or TensorName.GradNorm1 or TensorName.GradNorm2 => Scratch(a, t, d),
            TensorName.Rstd1 or TensorName.Rstd2 => Scratch(DType.Float32, t, 1),
            TensorName.Qkv or TensorName.GradQkv => Scratch(a, t, q + kv),
            TensorName.Query or TensorName.AttentionOut or TensorName.GradAttention or TensorName.GradQuery => Scratch(a, t, q),
            TensorName.AttentionSums => Scratch(
                DType.Float32,
                KernelWorkspace.AttentionForward(t, model.HeadCount, model.HeadDim).Value / sizeof(float),
                1
            ),
            TensorName.GradQuerySums => Scratch(
                DType.Float32,
                KernelWorkspace.AttentionBackward(t, model.HeadCount, model.HeadDim).Value / sizeof(float),
                1
            ),
            TensorName.Partials => Scratch(DType.Float32, PartialsSize.Value / sizeof(float), 1),
            TensorName.Lse or TensorName.AttentionMaxima or TensorName.AttentionTotals => Scratch(DType.Float32, model.HeadCount, t),
            TensorName.GateUp => Scratch(a, t, 2 * f),
            TensorName.Ffn or TensorName.GradFfn => Scratch(a, t, f),
            TensorName.HeadNorm or TensorName.GradHeadNorm => SubChunk(a, d),
            TensorName.HeadRstd => SubChunk(DType.Float32, 1),
            TensorName.Logits => SubChunk(DType.Float32, rows),
            TensorName.GradLogits => SubChunk(a, rows),
            TensorName.LogitStatistics => Own(Roles.LogitStatistics, DType.Float32, 3, t) with { Tokens = TokenAxis.Columns },
            TensorName.GradHeadSum => Tokens(Roles.GradHead, DType.Float32, d),
            _ => throw new ArgumentOutOfRangeException(nameof(tensor), tensor, "no shape of its own"),
        };
    }
}
