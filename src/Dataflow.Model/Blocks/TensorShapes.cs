namespace Dataflow.Model;

/// <summary>The shapes of the tensors that block programs name.</summary>
/// <param name="model">Whose programs.</param>
/// <param name="recipe">Types of activations.</param>
/// <param name="geometry">Tokens of chunks and sub-chunks.</param>
/// <param name="kind">Of the layers whose programs they are; null for embedding and head.</param>
internal sealed class TensorShapes(ModelConfig model, Recipe recipe, Geometry geometry, LayerKind? kind)
{
    /// <summary>Shape, dtype and home role of a tensor; scratch unless it is an object of its own.</summary>
    /// <param name="tensor">The name that kernel calls give it.</param>
    /// <param name="rows">Of the vocabulary, where the program's block has them.</param>
    public TensorPlace Of(TensorName tensor, int rows = 0)
    {
        var a = recipe.Activations;
        long t = geometry.ChunkTokens, th = geometry.HeadTokens, d = model.ModelDim, f = kind?.FfnDim ?? 0;
        var heads = model.HeadsOf(kind);
        long q = heads.QueryDim, kv = kind is { HasState: true } ? StateColumns(kind) : 2L * heads.KvDim;
        var (r, latent) = (kind?.Recurrence, model.Latent);
        var passed = r is null ? a : DType.Float32; // states, and what goes in and comes out, are of fp32 whatever activations are
        TensorPlace Scratch(DType type, long rows, long columns) => new(Roles.Scratch, Bytes.Zero, type, rows, columns);
        TensorPlace Rows(DType type, long columns) => Scratch(type, t, columns) with { Tokens = TokenAxis.Rows };
        TensorPlace Routed(DType type, long columns)
        {
            int perToken = kind!.Experts!.PerToken;
            return Scratch(type, t * perToken, columns) with { Tokens = TokenAxis.Rows, RowsPerToken = perToken };
        }

        TensorPlace Own(string role, DType type, long rows, long columns, Bytes offset = default) => new(role, offset, type, rows, columns);
        TensorPlace Tokens(string role, DType type, long columns, Bytes offset = default) =>
            Own(role, type, t, columns, offset) with { Tokens = TokenAxis.Rows };
        TensorPlace SubChunk(DType type, long columns) => Scratch(type, th, columns) with { Tokens = TokenAxis.SubChunkRows };
        TensorPlace LayerRows(string role, DType type, long columns) =>
            Own(role, type, t * model.LayerCount, columns) with { Tokens = TokenAxis.Rows, RowsPerToken = model.LayerCount };
        return tensor switch
        {
            TensorName.Ids => Tokens(Roles.Table, DType.Int32, 1, ChunkTable.Ids(geometry)),
            TensorName.Targets => Tokens(Roles.Table, DType.Int32, 1, ChunkTable.Targets(geometry)),
            TensorName.FirstKey => Tokens(Roles.Table, DType.Int32, 1, ChunkTable.FirstKeys(model, geometry, window: null)),
            TensorName.Order => Tokens(Roles.Table, DType.Int32, 1, ChunkTable.Order(geometry)),
            TensorName.Positions => Tokens(Roles.Table, DType.Int32, 1, ChunkTable.Positions(model, geometry)),
            TensorName.PositionOrder => Tokens(Roles.Table, DType.Int32, 1, ChunkTable.PositionOrder(model, geometry)),
            TensorName.RotarySet => Tokens(Roles.Table, DType.Int32, 1, ChunkTable.RotarySet(model, geometry, kind!)),
            TensorName.RotarySets => Own(
                Roles.Table,
                DType.Int32,
                RotarySets.Count(model.PositionsOf(kind!), geometry),
                2L * (heads.HeadDim / 2),
                ChunkTable.RotarySets(model, geometry, kind!)
            ),
            TensorName.FirstKeyInWindow => Tokens(Roles.Table, DType.Int32, 1, ChunkTable.FirstKeys(model, geometry, kind?.Window)),
            TensorName.Input => Tokens(Roles.Input, a, d),
            TensorName.Output => Tokens(Roles.Output, a, d),
            TensorName.GradStream => Tokens(Roles.GradStream, a, d),
            TensorName.KvPiece => geometry.Cache is null ? Own(Roles.Kv, passed, t, kv) : Rows(passed, kv),
            TensorName.KvWindow => Own(Roles.Kv, passed, geometry.WindowRows, kv),
            TensorName.KvSegment => Own(Roles.Kv, a, t, kv),
            TensorName.GradKvPiece => Own(Roles.GradKv, DType.Float32, t, kv),
            TensorName.GradKvWindow => Own(Roles.GradKv, DType.Float32, geometry.WindowRows, kv),
            TensorName.GradKvSegment => Own(Roles.GradKv, DType.Float32, t, kv),
            TensorName.Loss => Own(Roles.Loss, DType.Float32, 1, 1),
            TensorName.Norm1 or TensorName.Norm2 or TensorName.Residual or TensorName.GradNorm1 or TensorName.GradNorm2
                or TensorName.AttentionProjection or TensorName.FfnProjection or TensorName.GradProjection
                or TensorName.UnscaledAttentionOut or TensorName.UnscaledDown or TensorName.Unused => Rows(a, d),
            TensorName.RouterInput or TensorName.ExpertInput or TensorName.DenseProjection or TensorName.ExpertSum
                or TensorName.GradBranch => Rows(a, d),
            TensorName.BeforeInput or TensorName.InputProjection => Rows(a, d),
            TensorName.LayerInputs => Tokens(Roles.LayerInputs, a, model.LayerInputsDim),
            TensorName.LayerInputRows => LayerRows(Roles.LayerInputs, a, model.LayerInputDim),
            TensorName.LayerInputRstd => LayerRows(Roles.Scratch, DType.Float32, Statistics),
            TensorName.LayerInputNormed => LayerRows(Roles.Scratch, a, model.LayerInputDim),
            TensorName.GradLayerInputs => Tokens(Roles.GradLayerInputs, a, model.LayerInputsDim),
            TensorName.GradLayerInputRows => LayerRows(Roles.GradLayerInputs, a, model.LayerInputDim),
            TensorName.LayerInput => Tokens(Roles.LayerInputs, a, model.LayerInputDim) with { RowStride = model.LayerInputsDim },
            TensorName.GradLayerInput => Tokens(Roles.GradLayerInputs, a, model.LayerInputDim) with { RowStride = model.LayerInputsDim },
            TensorName.InputGate or TensorName.GatedInput or TensorName.GradGatedInput => Rows(a, model.LayerInputDim),
            TensorName.InputPostRstd => Rows(DType.Float32, Statistics),
            TensorName.RouterRstd or TensorName.ExpertRstd or TensorName.DensePostRstd or TensorName.ExpertPostRstd =>
                Rows(DType.Float32, Statistics),
            TensorName.Rstd1 or TensorName.Rstd2 or TensorName.Rstd3 or TensorName.Rstd4 => Rows(DType.Float32, Statistics),
            TensorName.ConvolutionInput or TensorName.GradConvolutionInput => Rows(a, 3 * d),
            TensorName.ConvolutionOutput or TensorName.GradConvolutionOutput => Rows(a, d),
            TensorName.RecurrenceInput or TensorName.GradRecurrenceInput => Rows(a, r!.InputWidth),
            TensorName.Channels or TensorName.GradChannels => Rows(DType.Float32, r!.Channels),
            TensorName.RecurrenceOutput => Rows(DType.Float32, r!.ValueWidth),
            TensorName.RecurrenceGated or TensorName.GradRecurrenceOutput => Rows(a, r!.ValueWidth),
            TensorName.Qkv or TensorName.GradQkv or TensorName.UnscaledQkv => Rows(a, model.ProjectedDim(kind)),
            TensorName.Query or TensorName.AttentionOut or TensorName.GradAttention or TensorName.GradQuery => Rows(a, q),
            TensorName.AttentionGate or TensorName.AttentionGated or TensorName.GradAttentionGate => Rows(a, q),
            TensorName.QueryLatent or TensorName.QueryLatentNorm or TensorName.GradQueryLatent => Rows(a, latent!.QueryRank!.Value),
            TensorName.KvLatent or TensorName.KvLatentNorm or TensorName.GradKvLatent => Rows(a, latent!.KvRank),
            TensorName.QueryLatentRstd or TensorName.KvLatentRstd => Rows(DType.Float32, 1),
            TensorName.KvUp or TensorName.GradKvUp => Rows(a, model.HeadCount * (long)latent!.UpDim),
            TensorName.KeyRotary or TensorName.KeyRotated or TensorName.GradKeyRotary or TensorName.GradKeyRotated =>
                Rows(a, latent!.RotatedDim),
            TensorName.AttentionValues or TensorName.GradAttentionValues => Rows(a, model.ValueDim(kind)),
            TensorName.AttentionSums => Scratch(
                DType.Float32,
                KernelWorkspace.AttentionForward(CudnnForward, t, heads.Heads, heads.HeadDim).Value / sizeof(float),
                1
            ),
            TensorName.GradQuerySums => Scratch(
                DType.Float32,
                KernelWorkspace.AttentionBackward(CudnnBackward, t, heads.Heads, heads.HeadDim).Value / sizeof(float),
                1
            ),
            TensorName.Partials => Scratch(DType.Float32, PartialsSize.Value / sizeof(float), 1),
            TensorName.Lse or TensorName.AttentionMaxima or TensorName.AttentionTotals => Scratch(DType.Float32, heads.Heads, t),
            TensorName.GateUp or TensorName.UnscaledGateUp => Rows(a, model.GatedFfn ? 2 * f : f),
            TensorName.Ffn or TensorName.GradFfn => Rows(a, f),
            TensorName.RouterLogits => Rows(DType.Float32, kind!.Experts!.RouterRows),
            TensorName.GradRouterLogits => Rows(a, kind!.Experts!.RouterRows),
            TensorName.Choices or TensorName.Places => Rows(DType.Int32, kind!.Experts!.PerToken),
            TensorName.ExpertRows => Scratch(DType.Int32, 1, kind!.Experts!.Count + 1),
            TensorName.ExpertLoad => Own(Roles.Load, DType.Float32, model.LoadRows, model.BalancedExperts),
            TensorName.RoutedTokens => Routed(DType.Int32, 1),
            TensorName.RouteWeights or TensorName.GradRouteWeights or TensorName.ScaledWeights => Routed(DType.Float32, 1),
            TensorName.SharedWeights or TensorName.GradSharedWeights => Rows(DType.Float32, 1),
            TensorName.RoutedInput or TensorName.GradRoutedInput or TensorName.ExpertOut or TensorName.GradExpertOut => Routed(a, d),
            TensorName.ExpertGateUp => Routed(a, (model.GatedFfn ? 2L : 1) * kind!.Experts!.Dim),
            TensorName.ExpertFfn or TensorName.GradExpertFfn => Routed(a, kind!.Experts!.Dim),
            TensorName.HeadNorm or TensorName.GradHeadNorm => SubChunk(a, d),
            TensorName.HeadRstd => SubChunk(DType.Float32, Statistics),
            TensorName.Logits => SubChunk(DType.Float32, rows) with { Role = geometry.Cache is null ? Roles.Scratch : Roles.Logits },
            TensorName.CacheRow => Tokens(Roles.Table, DType.Int32, 1, ChunkTable.CacheRows(model, geometry)),
            TensorName.PositionBase => Tokens(Roles.Table, DType.Int32, 1, ChunkTable.PositionBases(model, geometry)),
            TensorName.LogitToken => Own(Roles.Table, DType.Int32, th, 1, ChunkTable.LogitTokens(model, geometry)),
            TensorName.TargetWeights => Tokens(Roles.Table, DType.Float32, 1, ChunkTable.TargetWeights(model, geometry)),
            TensorName.Sequences => Tokens(Roles.Table, DType.Int32, 1, ChunkTable.Sequences(model, geometry)),
            TensorName.Pairs => Own(Roles.Pairs, DType.Float32, PairTable.Size(geometry).Value / sizeof(float), 1),
            TensorName.PairWeights => SubChunk(DType.Float32, 1),
            TensorName.StreamRows => Own(Roles.Input, a, t, d),
            TensorName.LogitInput => SubChunk(a, d),
            TensorName.HeadBias => Scratch(DType.Float32, 1, rows),
            TensorName.GradLogits => SubChunk(a, rows),
            TensorName.LogitStatistics => Own(Roles.LogitStatistics, DType.Float32, 3, t) with { Tokens = TokenAxis.Columns },
            TensorName.GradHeadSum => Tokens(Roles.GradHead, DType.Float32, d),
            _ => throw new ArgumentOutOfRangeException(nameof(tensor), tensor, "no shape of its own"),
        };
    }

    /// <summary>How cuDNN computes attention's forward in these layers; null: our own kernels do.</summary>
    public CudnnCalls? CudnnForward { get; } = Calls(model, recipe, geometry, kind, CudnnPass.Forward);

    /// <summary>Likewise the backward.</summary>
    public CudnnCalls? CudnnBackward { get; } = Calls(model, recipe, geometry, kind, CudnnPass.Backward);

    private static CudnnCalls? Calls(ModelConfig model, Recipe recipe, Geometry geometry, LayerKind? kind, CudnnPass pass) =>
        kind is null ? null : CudnnCalls.Of(new AttentionWorkload(model, recipe, geometry), kind, pass, out _);

    /// <summary>Of what is of so many ranks.</summary>
    public TensorPlace LowRank(int ranks) =>
        new(Roles.Scratch, Bytes.Zero, recipe.Activations, geometry.ChunkTokens, ranks) { Tokens = TokenAxis.Rows };

    /// <summary>The same of the rows of experts.</summary>
    public TensorPlace LowRankOfExperts(int ranks)
    {
        int perToken = kind!.Experts!.PerToken;
        return LowRank(ranks) with { Rows = (long)geometry.ChunkTokens * perToken, RowsPerToken = perToken };
    }

    /// <summary>Factors of so many rows, and one over their lengths.</summary>
    public static TensorPlace DoraScales(long rows) => new(Roles.Scratch, Bytes.Zero, DType.Float32, 2, rows);

    /// <summary>The same of a head's sub-chunk.</summary>
    public TensorPlace LowRankOfHead(int ranks) =>
        new(Roles.Scratch, Bytes.Zero, recipe.Activations, geometry.HeadTokens, ranks) { Tokens = TokenAxis.SubChunkRows };

    /// <summary>What a norm keeps of a token: the root, or the mean too.</summary>
    private long Statistics => model.Norm == NormKind.Rms ? 1 : 2;

    /// <summary>
    /// A chunk's state lies in as many rows as the chunk has tokens, as keys and values do, so that windows of both kinds are cut alike;
    /// that of a sequence that is continued in as many as the sequence may have. Columns are whole packs of 16 bytes.
    /// </summary>
    private long StateColumns(LayerKind of)
    {
        long values = of.Recurrence is { } r ? r.ConvolutionState + r.HeadStates : (of.ConvolutionTaps!.Value - 1L) * model.ModelDim;
        long t = geometry.Cache?.SequenceRows ?? geometry.ChunkTokens;
        return ((((values + t - 1) / t) + 7) / 8) * 8;
    }

    /// <summary>The most that a kernel in stages keeps, of a chunk or of a head sub-chunk.</summary>
    private Bytes PartialsSize
    {
        get
        {
            var (t, th, d) = (geometry.ChunkTokens, geometry.HeadTokens, model.ModelDim);
            var norms = model.Norm == NormKind.Rms
                ? Bytes.Max(KernelWorkspace.RmsNorm(t, d), KernelWorkspace.RmsNorm(th, d))
                : Bytes.Max(KernelWorkspace.LayerNorm(t, d), KernelWorkspace.LayerNorm(th, d));
            norms = model.LayerInputDim == 0 || kind is not null ? norms
                : Bytes.Max(norms, KernelWorkspace.RmsNorm(t * model.LayerCount, model.LayerInputDim));
            var heads = model.QkNorm ? KernelWorkspace.QkNorm(t, model.QueryNormDim(kind), model.KeyNormDim(kind)) : Bytes.Zero;
            var taps = kind is { ConvolutionTaps: { } k } ? KernelWorkspace.Convolution(t, d, k)
                : kind?.Recurrence is { } r ? KernelWorkspace.OfRecurrence(t, r)
                : Bytes.Zero;
            if (model.Latent is { } latent)
            {
                norms = Bytes.Max(norms, KernelWorkspace.RmsNorm(t, latent.KvRank));
                norms = Bytes.Max(norms, KernelWorkspace.RmsNorm(t, latent.QueryRank ?? 0));
            }

            var routing = kind is { Experts: { } e } ? KernelWorkspace.Routing(t, e.Count, e.PerToken) : Bytes.Zero;
            return Bytes.Max(Bytes.Max(Bytes.Max(norms, taps), Bytes.Max(KernelWorkspace.CrossEntropy(th), heads)), routing);
        }
    }
}
