using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <content>The way back.</content>
internal static partial class DecoderBlock
{
    /// <summary>The gradient of the residual stream in place, from y's to x's, and of every weight that is trained.</summary>
    public static ImmutableArray<KernelCall> Backward(ModelConfig model, LayerKind kind) =>
        [
            .. AdapterCalls
                .Backward(kind.Adapter, WithProducts(model.In(kind), kind))
                .Where(c => GradientOf(c) is not { } weight || kind.Trains(weight)),
        ];

    /// <summary>The parameter that a call is there for alone.</summary>
    private static WeightName? GradientOf(KernelCall call) =>
        call switch
        {
            GemmWeightGradientCall product => product.C.Weight,
            ColumnSumCall sum => sum.C.Weight,
            GroupedGemmWeightGradientCall product => product.C.Weight,
            AttentionSinkBackwardCall sinks => sinks.GradSinks.Weight,
            _ => null,
        };

    /// <summary>The same with every product for a matrix's gradient, as if all were trained; norms leave out what is not.</summary>
    private static ImmutableArray<KernelCall> WithProducts(ModelConfig model, LayerKind kind)
    {
        bool parallel = model.Placement is NormPlacement.Parallel or NormPlacement.ParallelShared;
        var ffnNorm = model.HasFfnNorm && kind.HasFeedForward
            ? Some(FfnNorm(model, kind).Backward(model, GradNorm2, GradStream, adds: true, kind.Trains))
            : [];
        var gradient = model.HasPostNorms ? GradProjection : GradStream;
        return
        [
            .. Scaled(model, GradStream),
            .. model.LayerInputDim > 0 ? InputBackward(model, kind) : [],
            .. kind.HasFeedForward ? FeedForwardBackward(model, kind, gradient) : [],
            .. parallel || kind.Experts is { Beside: true } ? [] : ffnNorm,
            .. kind.HasMixer ? MixBackward(model, kind, gradient, parallel ? ffnNorm : []) : [],
        ];
    }

    private static ImmutableArray<KernelCall> FeedForwardBackward(ModelConfig model, LayerKind kind, TensorName gradient) =>
        [
            .. PostNormBackward(model, kind, FfnPostNorm),
            .. kind.Experts switch
            {
                null => DenseBackward(model, gradient),
                { Beside: true } beside => BesideBackward(model, kind, beside),
                { } experts => ExpertsBackward(model, kind, experts, gradient),
            },
        ];

    private static ImmutableArray<KernelCall> MixBackward(
        ModelConfig model, LayerKind kind, TensorName gradient, ImmutableArray<KernelCall> normBeside)
    {
        var mixedOut = MixedOutMatrix(kind);
        return
        [
            .. PostNormBackward(model, kind, AttentionPostNorm),
            InputGradient(gradient, mixedOut, GradMixed(model, kind)) with { Scale = Scale(model) },
            .. WeightGradients(
                model, gradient, MixedOut(model, kind), mixedOut, Biases.AttentionOut, WeightName.AttentionOutBias, intoStream: true),
            .. kind.Recurrence is { HasProductBiases: true }
                ? Some(new ColumnSumCall { A = gradient, C = G(WeightName.RecurrenceOutBias) })
                : [],
            .. normBeside,
            .. MixBackward(model, kind),
            .. model.Placement == NormPlacement.After
                ? []
                : Some(AttentionNorm.Backward(model, GradNorm1, GradStream, adds: true, kind.Trains)),
        ];
    }

    private static ImmutableArray<KernelCall> DenseBackward(ModelConfig model, TensorName gradient) =>
        [
            InputGradient(gradient, WeightName.Down, GradFfn) with { Scale = Scale(model) },
            ActivationBackward(model),
            .. WeightGradients(model, gradient, GradFfn, WeightName.Down, Biases.FeedForward, WeightName.DownBias, intoStream: true),
            FfnInputGradient(model),
            .. WeightGradients(model, GateUp, FfnInput(model), WeightName.GateUp, Biases.FeedForward, WeightName.GateUpBias),
        ];

    private static ImmutableArray<KernelCall> MixBackward(ModelConfig model, LayerKind kind) =>
        kind.Attends ? AttentionBackward(model, kind)
        : kind.Recurrence is { } recurrence ? RecurrenceBackward(model, kind, recurrence)
        : ConvolutionBackward(model, kind);

    private static TensorName GradMixed(ModelConfig model, LayerKind kind) =>
        NarrowsValues(model) ? GradAttentionValues
        : kind.Attends ? GradAttention
        : kind.Recurrence is null ? GradConvolutionOutput
        : GradRecurrenceOutput;

    private static ImmutableArray<KernelCall> AttentionBackward(ModelConfig model, LayerKind kind) =>
        [
            .. IsGated(model, kind)
                ? Some(
                    new OutputGateBackwardCall
                    {
                        Gradient = GradAttention,
                        X = AttentionOut,
                        Gate = AttentionGate,
                        GradGate = GradAttentionGate,
                    })
                : NarrowsValues(model) ? Some(new ResizeHeadsCall { From = GradAttentionValues, To = GradAttention })
                : [],
            .. model.AttentionSinks
                ? Some(
                    new AttentionSinkBackwardCall
                    {
                        Sinks = W(WeightName.AttentionSinks),
                        Output = AttentionOut,
                        Lse = Lse,
                        GradOutput = GradAttention,
                        GradSinks = G(WeightName.AttentionSinks),
                    })
                : [],
            new AttentionBackwardCall
            {
                Query = Query,
                Keys = KvWindow,
                FirstKey = FirstKeyOf(kind),
                Output = AttentionOut,
                Lse = Lse,
                GradOutput = GradAttention,
                GradQuery = GradQuery,
                GradQuerySums = GradQuerySums,
                GradKeys = GradKvWindow,
            },
            .. model.Latent is { } latent ? LatentQkvBackward(model, kind, latent)
                : IsGated(model, kind) ? [RotationBackward(model, kind), .. GatedQkvGradients(model)]
                :
                [
                    RotationBackward(model, kind),
                    MixInputGradient(model, GradQkv, WeightName.Qkv),
                    .. WeightGradients(model, GradQkv, AttentionInput(model), WeightName.Qkv, Biases.Qkv, WeightName.QkvBias),
                ],
        ];

    private static QkNormRopeBackwardCall RotationBackward(ModelConfig model, LayerKind kind) =>
        new()
        {
            GradQuery = GradQuery,
            GradKeyValue = kind.SharesKv ? null : GradKvPiece,
            FirstKey = FirstKey,
            Rotary = RotaryTable.Of(model, kind),
            NormKind = model.QkNormKind,
            KeysAreValues = kind.KeysAreValues,
            WeightOffset = model.NormWeightOffset,
            QueryScale = QueryScaleOf(model, kind),
            Lengths = RotaryLengthsOf(model, kind),
            Norms = model.QkNorm
                ? new QkNormOperands(
                    Qkv,
                    W(WeightName.QNorm),
                    kind.SharesKv ? null : W(WeightName.KNorm),
                    Gradient(kind, WeightName.QNorm),
                    kind.SharesKv ? null : Gradient(kind, WeightName.KNorm),
                    Partials
                )
                : null,
            GradQkv = GradQkv,
        };

    private static ImmutableArray<KernelCall> ConvolutionBackward(ModelConfig model, LayerKind kind) =>
        [
            new GatedConvolutionBackwardCall
            {
                X = ConvolutionInput,
                Taps = W(WeightName.ConvolutionTaps),
                FirstKey = FirstKey,
                States = KvWindow,
                GradY = GradConvolutionOutput,
                GradStates = GradKvWindow,
                GradState = GradKvPiece,
                GradX = GradConvolutionInput,
                GradTaps = Gradient(kind, WeightName.ConvolutionTaps),
                Workspace = Partials,
            },
            MixInputGradient(model, GradConvolutionInput, WeightName.ConvolutionIn),
            .. WeightGradients(model, GradConvolutionInput, AttentionInput(model), WeightName.ConvolutionIn, Biases.None, default),
        ];

    private static KernelCall ActivationBackward(ModelConfig model) =>
        model.GatedFfn
            ? new GatedActivationBackwardCall
            {
                Activation = model.Activation,
                GradFfn = GradFfn,
                GateUp = GateUp,
            }
            : new UngatedActivationBackwardCall
            {
                Activation = model.Activation,
                GradFfn = GradFfn,
                Up = GateUp,
            };

    /// <summary>Of the feed-forward's first product: to its norm, or, without one, to what it shares or to the stream.</summary>
    private static GemmInputGradientCall FfnInputGradient(ModelConfig model) =>
        InputGradient(GateUp, WeightName.GateUp, GradFfnInput(model)) with { Adds = model.Placement == NormPlacement.After };

    private static TensorName GradFfnInput(ModelConfig model) =>
        model.Placement switch
        {
            NormPlacement.After => GradStream,
            NormPlacement.ParallelShared => GradNorm1,
            _ => GradNorm2,
        };

    /// <summary>
    /// Of the first product of attention, or of what stands in its place, likewise; a norm that both share has the feed-forward's part
    /// already.
    /// </summary>
    private static GemmInputGradientCall MixInputGradient(ModelConfig model, TensorName gradient, WeightName weight) =>
        model.Placement switch
        {
            NormPlacement.After => InputGradient(gradient, weight, GradStream) with { Adds = true },
            NormPlacement.ParallelShared => InputGradient(gradient, weight, GradNorm1) with { Adds = true },
            _ => InputGradient(gradient, weight, GradNorm1),
        };

    private static GemmInputGradientCall InputGradient(TensorName gradient, WeightName weight, TensorName result) =>
        new()
        {
            A = gradient,
            B = W(weight),
            C = result,
        };

    /// <summary>Of a product's matrix, and of its bias where it has one.</summary>
    private static ImmutableArray<KernelCall> WeightGradients(
        ModelConfig model,
        TensorName gradient,
        TensorName input,
        WeightName weight,
        Biases bias,
        WeightName biasName,
        bool intoStream = false
    )
    {
        var matrix = new GemmWeightGradientCall
        {
            A = gradient,
            B = input,
            C = G(weight),
            Scale = intoStream ? Scale(model) : 1,
        };
        bool hasBias = bias != Biases.None && model.Biases.HasFlag(bias);
        return hasBias ? [matrix, new ColumnSumCall { A = gradient, C = G(biasName) }] : [matrix];
    }

    /// <summary>From the stream's gradient, which passes by the norm as it is, to that of what the norm is of.</summary>
    private static ImmutableArray<KernelCall> PostNormBackward(ModelConfig model, LayerKind kind, DecoderNorm norm) =>
        model.HasPostNorms ? [norm.Backward(model, GradStream, GradProjection, adds: false, kind.Trains)] : [];

    private static Operand? Gradient(LayerKind kind, WeightName weight) => kind.Trains(weight) ? G(weight) : null;

    /// <summary>A norm takes no multiplier: families have one or the other.</summary>
    private static float Scale(ModelConfig model) => (float)model.ResidualScale;
}
