using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>The parameters of a decoder's block, in memory order, with the names that its family's checkpoints have for them.</summary>
/// <remarks>Within a group, those whose gradients the backward writes after attention's come before the others.</remarks>
internal sealed partial class DecoderParameters
{
    private const string Weight = ".weight";
    private const string Bias = ".bias";

    private readonly ModelConfig model;
    private readonly LayerKind kind;
    private readonly DecoderNames names;
    private readonly LayerHeads heads;

    private DecoderParameters(ModelConfig model, LayerKind kind) =>
        (this.model, this.kind, heads, names) =
            (model.In(kind), kind, model.HeadsOf(kind), kind.Experts is null ? model.Names : model.Names.OfShared());

    /// <summary>Those of a layer.</summary>
    public static ImmutableArray<ParameterSpec> Of(ModelConfig model, LayerKind kind)
    {
        var parameters = new DecoderParameters(model, kind);
        IEnumerable<ParameterSpec> all =
        [
            .. (kind.HasMixer ? parameters.Mixer() : []).Select(InLayer),
            .. (kind.HasFeedForward ? parameters.FeedForward() : []).Select(p => InLayer(p) with { Group = kind.FfnApart ? 1 : 0 }),
            .. parameters.LayerInput().Select(p => InLayer(p) with { Group = kind.FfnApart ? 1 : 0 }),
            .. parameters.Scalar().Select(p => InLayer(p) with { Group = kind.FfnApart ? 1 : 0 }),
        ];
        if (kind.Adapter is { } adapter)
        {
            all = all.SelectMany(p => adapter.Parameters(p).Prepend(p));
        }

        // What is stored alike, and what is trained, lies together, so that a layer is in as few objects as can be.
        return [.. all.OrderBy(p => p.Group).ThenBy(p => p.Storage is not null).ThenBy(p => !p.IsTrained)];

        // Norms stay in the recipe's type: they are few, and kernels read them as they are.
        ParameterSpec InLayer(ParameterSpec p) => p with { IsTrained = kind.Trains(p.Name), Storage = StorageOf(p) };

        // What is added to scores decides between neighbours: in fp32 whatever the recipe is.
        DType? StorageOf(ParameterSpec p) =>
            p.Name == WeightName.RouterCorrection ? DType.Float32
            : p.IsMatrix && !kind.Trains(p.Name) ? kind.FrozenType
            : null;
    }

    /// <summary>A norm's scale, and its shift where it has one.</summary>
    /// <param name="model">Whose norm.</param>
    /// <param name="name">What calls name its scale by.</param>
    /// <param name="biasName">And its shift.</param>
    /// <param name="checkpointName">Without its ending.</param>
    public static IEnumerable<ParameterSpec> Norm(ModelConfig model, WeightName name, WeightName biasName, string checkpointName)
    {
        yield return ParameterSpec.Vector(name, Identity(model), (checkpointName + Weight, model.ModelDim));
        if (model.Norm == NormKind.LayerWithBias)
        {
            yield return ParameterSpec.Vector(biasName, InitialValues.Zero, (checkpointName + Bias, model.ModelDim));
        }
    }

    /// <summary>A matrix starts as the config says, or as this engine's own models do.</summary>
    public static InitialValues Initial(ModelConfig model, InitialValues own) =>
        model.Origin.InitialDeviation is { } deviation ? new InitialValues.Normal(deviation) : own;

    private static InitialValues Identity(ModelConfig model) => model.NormWeightOffset == 0 ? InitialValues.One : InitialValues.Zero;

    private IEnumerable<ParameterSpec> Before() =>
        model.Placement == NormPlacement.After
            ? []
            : Norm(model, WeightName.AttentionNorm, WeightName.AttentionNormBias, names.Layer + names.AttentionNorm);

    private IEnumerable<ParameterSpec> After() =>
        model.HasPostNorms ? Norm(model, WeightName.AttentionPostNorm, default, names.Layer + names.AttentionPostNorm) : [];

    private IEnumerable<ParameterSpec> Mixer() =>
        kind.Attends && model.Latent is { } latent ? Latent(latent)
        : kind.Attends ? Attention()
        : kind.Recurrence is { } recurrence ? Recurrence(recurrence)
        : Convolution();

    private IEnumerable<ParameterSpec> Convolution()
    {
        int d = model.ModelDim, taps = kind.ConvolutionTaps!.Value;
        string Named(string of) => names.Layer + of + Weight;
        return
        [
            .. Before(),
            ParameterSpec.Matrix(
                WeightName.ConvolutionIn, d, Initial(model, InitialValues.FanIn(d)), (Named(names.ConvolutionIn), 3L * d)),
            ParameterSpec.Convolution(
                WeightName.ConvolutionTaps, taps, Initial(model, InitialValues.FanIn(taps)), (Named(names.ConvolutionTaps), d)),
            ParameterSpec.Matrix(WeightName.ConvolutionOut, d, Initial(model, IntoStream(d)), (Named(names.ConvolutionOut), d)),
            .. After(),
        ];
    }

    private IEnumerable<ParameterSpec> Attention()
    {
        int d = model.ModelDim;
        return
        [
            .. Before(),
            ParameterSpec.Matrix(WeightName.Qkv, d, Initial(model, InitialValues.FanIn(d)), QkvRows(Weight)),
            .. model.Biases.HasFlag(Biases.Qkv)
                ? [ParameterSpec.Vector(WeightName.QkvBias, InitialValues.Zero, QkvRows(Bias))]
                : ImmutableArray<ParameterSpec>.Empty,
            .. model.QkNorm
                ?
                [
                    HeadNorm(WeightName.QNorm, names.QueryNorm, model.QueryNormDim(kind)),
                    .. kind.SharesKv
                        ? ImmutableArray<ParameterSpec>.Empty
                        : [HeadNorm(WeightName.KNorm, names.KeyNorm, model.KeyNormDim(kind))],
                ]
                : ImmutableArray<ParameterSpec>.Empty,
            .. model.AttentionSinks
                ?
                [
                    ParameterSpec.Vector(
                        WeightName.AttentionSinks, InitialValues.Zero, (names.Layer + names.AttentionSinks, model.HeadCount)),
                ]
                : ImmutableArray<ParameterSpec>.Empty,
            .. AttentionOut(),
            .. After(),
        ];
    }

    private ImmutableArray<ParameterSpec> AttentionOut()
    {
        int values = model.ValueDim(kind);
        return Product(
            WeightName.AttentionOut, values, IntoStream(values), Biases.AttentionOut, WeightName.AttentionOutBias,
            (names.AttentionOut, model.ModelDim));
    }

    private IEnumerable<ParameterSpec> FeedForward() =>
        [
            .. model.HasFfnNorm ? Norm(model, WeightName.FfnNorm, WeightName.FfnNormBias, names.Layer + names.FfnNorm) : [],
            .. kind.Experts is { } experts ? Experts(experts) : [],
            .. kind.FfnDim > 0 ? Dense() : [],
            .. kind.Experts is { Beside: true } ? NormsBeside() : [],
            .. model.HasPostNorms ? Norm(model, WeightName.FfnPostNorm, default, names.Layer + names.FfnPostNorm) : [],
        ];

    private IEnumerable<ParameterSpec> NormsBeside() =>
        [
            .. Norm(model, WeightName.ExpertNorm, default, names.Layer + names.ExpertNorm),
            .. Norm(model, WeightName.ExpertPostNorm, default, names.Layer + names.ExpertPostNorm),
            .. Norm(model, WeightName.DensePostNorm, default, names.Layer + names.DensePostNorm),
        ];

    private IEnumerable<ParameterSpec> LayerInput()
    {
        var (d, p) = (model.ModelDim, model.LayerInputDim);
        return p == 0 ? [] :
        [
            ParameterSpec.Matrix(
                WeightName.InputGate, d, Initial(model, InitialValues.FanIn(d)), (names.Layer + names.InputGate + Weight, p)),
            ParameterSpec.Matrix(WeightName.InputOut, p, Initial(model, IntoStream(p)), (names.Layer + names.InputOut + Weight, d)),
            .. Norm(model, WeightName.InputPostNorm, default, names.Layer + names.InputPostNorm),
        ];
    }

    private IEnumerable<ParameterSpec> Scalar() =>
        model.HasLayerScalars
            ? [ParameterSpec.Vector(WeightName.LayerScalar, InitialValues.One, (names.Layer + names.LayerScalar, 1))]
            : [];

    private IEnumerable<ParameterSpec> Dense()
    {
        var (d, f) = (model.ModelDim, kind.FfnDim);
        ReadOnlySpan<(string, int)> up = !model.GatedFfn ? [(names.Up, f)]
            : names.GateUp is { } fused ? [(fused, 2 * f)]
            : [(names.Gate, f), (names.Up, f)];
        return
        [
            .. Product(WeightName.GateUp, d, InitialValues.FanIn(d), Biases.FeedForward, WeightName.GateUpBias, up),
            .. Product(WeightName.Down, f, IntoStream(f), Biases.FeedForward, WeightName.DownBias, (names.Down, d)),
        ];
    }

    private IEnumerable<ParameterSpec> Experts(ExpertMixture experts)
    {
        var (e, d, f) = (experts.Count, model.ModelDim, experts.Dim);
        var (gateUp, down) = (InitialValues.FanIn(d), IntoStream(f));
        string Named(string of) => names.Layer + of + Weight;
        NamedRows[] gate = experts.GatesShared ? [(Named(names.SharedExpertGate), 1)] : [];
        NamedRows[] router = [(Named(names.Router), e), .. gate];
        yield return ParameterSpec.Matrix(WeightName.Router, d, Initial(model, InitialValues.FanIn(d)), router);
        if (experts.HasBiases)
        {
            yield return ParameterSpec.Vector(WeightName.RouterBias, InitialValues.Zero, (names.Layer + names.Router + Bias, e));
        }

        if (experts.Beside)
        {
            yield return ParameterSpec.Vector(WeightName.RouterNorm, InitialValues.One, (names.Layer + names.RouterNorm, d));
            yield return ParameterSpec.Vector(WeightName.ExpertScale, InitialValues.One, (names.Layer + names.ExpertScale, e));
        }

        if (experts.Corrected)
        {
            var correction = new NamedRows(names.Layer + names.RouterCorrection, e);
            yield return names.RouterCorrectionIsRow
                ? ParameterSpec.VectorOfRows(WeightName.RouterCorrection, InitialValues.Zero, correction, 1)
                : ParameterSpec.Vector(WeightName.RouterCorrection, InitialValues.Zero, correction);
        }

        if (names is { ExpertsByColumn: true, ExpertGateUp: { } byTurns })
        {
            NamedRows fused = new(names.Layer + byTurns, 2 * f, RowOrder.ByTurns(f), Transposed: true);
            NamedRows last = new(names.Layer + names.ExpertDown, d, Transposed: true);
            NamedRows Biased(NamedRows of) => new(of.Name + "_bias", of.Rows, of.Order);
            yield return ParameterSpec.Stacked(WeightName.ExpertGateUp, e, d, Initial(model, gateUp), fused);
            yield return ParameterSpec.StackedVectors(WeightName.ExpertGateUpBias, e, InitialValues.Zero, Biased(fused));
            yield return ParameterSpec.Stacked(WeightName.ExpertDown, e, f, Initial(model, down), last);
            yield return ParameterSpec.StackedVectors(WeightName.ExpertDownBias, e, InitialValues.Zero, Biased(last));
            yield break;
        }

        if (names.ExpertGateUp is { } stacked)
        {
            string Stacked(string of) => names.Layer + of + names.ExpertEnding;
            yield return ParameterSpec.Stacked(
                WeightName.ExpertGateUp, e, d, Initial(model, gateUp), (Stacked(stacked), (model.GatedFfn ? 2 : 1) * f));
            yield return ParameterSpec.Stacked(WeightName.ExpertDown, e, f, Initial(model, down), (Stacked(names.ExpertDown), d));
            yield break;
        }

        NamedRows Of(string matrix, int expert, int rows) => (Named(DecoderNames.OfExpert(matrix, expert)), rows);
        yield return ParameterSpec.Matrix(
            WeightName.ExpertGateUp, d, Initial(model, gateUp),
            [.. Enumerable.Range(0, e).SelectMany(i => model.GatedFfn ? [Of(names.ExpertGate, i, f), Of(names.ExpertUp, i, f)]
                : new[] { Of(names.ExpertUp, i, f) })]);
        yield return ParameterSpec.Matrix(
            WeightName.ExpertDown, f, Initial(model, down), [.. Enumerable.Range(0, e).Select(i => Of(names.ExpertDown, i, d))]);
    }

    /// <summary>A matrix, and its bias where the model has it.</summary>
    private ImmutableArray<ParameterSpec> Product(
        WeightName name,
        int columns,
        InitialValues initial,
        Biases bias,
        WeightName biasName,
        params ReadOnlySpan<(string Name, int Rows)> parts
    )
    {
        var rows = new NamedRows[parts.Length];
        var biases = new NamedRows[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            rows[i] = new(names.Layer + parts[i].Name + Weight, parts[i].Rows, Transposed: names.Transposed);
            biases[i] = (names.Layer + parts[i].Name + Bias, parts[i].Rows);
        }

        var matrix = ParameterSpec.Matrix(name, columns, Initial(model, initial), rows);
        return model.Biases.HasFlag(bias) ? [matrix, ParameterSpec.Vector(biasName, InitialValues.Zero, biases)] : [matrix];
    }

    /// <summary>Rows of queries, keys and values, of their matrix or of its bias; of queries alone where the others are shared.</summary>
    private NamedRows[] QkvRows(string ending)
    {
        var (q, kv) = (heads.QueryDim, heads.KvDim);
        var (queries, keys) = (HeadOrder(heads.Heads), HeadOrder(heads.KvHeads));
        if (kind.SharesKv)
        {
            return [new(names.Layer + names.Query + ending, q, queries)];
        }

        if (kind.KeysAreValues)
        {
            return [new(names.Layer + names.Query + ending, q, queries), new(names.Layer + names.Key + ending, kv, keys)];
        }

        if (model.AttentionGate)
        {
            var gated = RowOrder.OfHeadsBehindGates(heads.Heads, heads.HeadDim, queries);
            return
            [
                new(names.Layer + names.Query + ending, 2 * q, gated),
                new(names.Layer + names.Key + ending, kv, keys),
                (names.Layer + names.Value + ending, kv),
            ];
        }

        if (names.Qkv is not { } fused)
        {
            return
            [
                new(names.Layer + names.Query + ending, q, queries),
                new(names.Layer + names.Key + ending, kv, keys),
                (names.Layer + names.Value + ending, kv),
            ];
        }

        var order = names.QkvByHead ? RowOrder.OfHeadsInterleaved(heads.Heads, heads.HeadDim, HeadOrder(1))
            : RowOrder.Joined((queries, q), (keys, kv), (null, kv));
        return [new(names.Layer + fused + ending, q + (2 * kv), order, names.Transposed)];
    }

    /// <summary>
    /// The norm of queries or of keys. Where each head has weights of its own, they are a matrix [heads, head_dim], or a tensor for each,
    /// if the name has a place for the head's number.
    /// </summary>
    private ParameterSpec HeadNorm(WeightName name, string checkpointName, int width)
    {
        string full = names.Layer + checkpointName + Weight;
        int count = width / heads.HeadDim;
        if (model.QkNormKind != QkNormKind.HeadsCentred)
        {
            return ParameterSpec.Vector(name, Identity(model), new NamedRows(full, width, HeadOrder(count)));
        }

        return full.Contains(DecoderNames.HeadNumber, StringComparison.Ordinal)
            ? ParameterSpec.Vector(
                name,
                Identity(model),
                [.. Enumerable.Range(0, count).Select(h => new NamedRows(DecoderNames.OfHead(full, h), heads.HeadDim, HeadOrder(1)))])
            : ParameterSpec.VectorOfRows(name, Identity(model), new NamedRows(full, width, HeadOrder(count)), count);
    }

    private RowOrder? HeadOrder(int count) =>
        RowOrder.OfHeads(count, heads.HeadDim, model.RotaryDims ?? heads.HeadDim, model.RotatesNeighbours);

    private InitialValues IntoStream(int columns) => InitialValues.IntoStream(columns, model.LayerCount);
}
