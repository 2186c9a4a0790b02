using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <summary>
/// The block of a decoder: its math as lists of kernel calls, written once, run by every device. What is streamed or recomputed is derived
/// from them (<see cref="BlockCalls"/>). Its parameters: <see cref="DecoderParameters"/>.
/// </summary>
internal static partial class DecoderBlock
{
    /// <summary>
    /// The tensors of the activation object, in order; with QK-norm the raw product stands for the query. What is kept before attention
    /// comes first, so that it and what is kept after it are one range each. Where a norm follows a product, the product is kept: the norm
    /// is cheap to repeat. What stands in attention's place keeps what it is of for the query, and its result.
    /// </summary>
    public static IEnumerable<TensorName> Saved(ModelConfig model, LayerKind kind, SaveSet saved)
    {
        model = model.In(kind);
        saved &= kind.Keepable;
        if (saved.HasFlag(SaveSet.Query))
        {
            yield return kind.Attends ? Kept(WeightName.Qkv, model.QkNorm ? Qkv : Query)
                : kind.Recurrence is null ? ConvolutionInput
                : RecurrenceInput;
            if (IsGated(model, kind))
            {
                yield return AttentionGate;
            }

            if (model.Latent is { } latent)
            {
                yield return KvLatent;
                if (latent.QueryRank is not null)
                {
                    yield return QueryLatent;
                }
            }
        }

        if (saved.HasFlag(SaveSet.Attention))
        {
            yield return kind.Attends ? AttentionOut
                : kind.Recurrence is null ? ConvolutionOutput
                : RecurrenceOutput;
            if (kind.Attends)
            {
                yield return Lse;
            }
        }

        if (saved.HasFlag(SaveSet.Residual))
        {
            yield return Kept(WeightName.AttentionOut, model.HasPostNorms ? AttentionProjection : Residual);
        }

        if (saved.HasFlag(SaveSet.GateUp))
        {
            if (kind.Experts is not null)
            {
                yield return ExpertGateUp;
            }

            if (kind.FfnDim > 0)
            {
                yield return Kept(WeightName.GateUp, GateUp);
            }

            if (kind.Experts is { Beside: true })
            {
                yield return ExpertSum;
            }

            if (model.LayerInputDim > 0)
            {
                yield return InputGate;
                yield return InputProjection;
            }

            if (model.HasPostNorms || IsUnscaled(WeightName.Down))
            {
                yield return Kept(WeightName.Down, kind.Experts is { Beside: true } ? DenseProjection : FfnProjection);
            }
        }

        // What an adapter multiplies is kept from before that: to multiply it again is cheap.
        bool IsUnscaled(WeightName matrix) => kind.Adapter?.HasMagnitudes(matrix) == true;
        TensorName Kept(WeightName matrix, TensorName otherwise) => IsUnscaled(matrix) ? AdapterCalls.Unscaled(matrix) : otherwise;
    }

    /// <summary>x to y; every tensor that a backward may want on the way.</summary>
    public static ImmutableArray<KernelCall> Forward(ModelConfig model, LayerKind kind) =>
        AdapterCalls.Forward(kind.Adapter, BaseForward(model.In(kind), kind));

    private static ImmutableArray<KernelCall> BaseForward(ModelConfig model, LayerKind kind) =>
        [
            .. kind.HasMixer ? MixForward(model, kind) : [],
            .. kind.HasFeedForward ? FeedForward(model, kind) : [],
            .. model.LayerInputDim > 0 ? InputForward(model) : [],
            .. Scaled(model, Output),
        ];

    /// <summary>The stream after the feed-forward.</summary>
    private static TensorName FfnSum(ModelConfig model) => model.LayerInputDim > 0 ? BeforeInput : Output;

    /// <summary>What a layer leaves, or its gradient, times the layer's number, where it has one.</summary>
    private static ImmutableArray<KernelCall> Scaled(ModelConfig model, TensorName x) =>
        model.HasLayerScalars ? Some(new ScaleCall { X = x, Factor = W(WeightName.LayerScalar) }) : [];

    private static ImmutableArray<KernelCall> MixForward(ModelConfig model, LayerKind kind) =>
        [
            .. model.Placement == NormPlacement.After ? [] : Some(AttentionNorm.Forward(model, Norm1)),
            .. Mix(model, kind),
            .. IntoStream(
                model, MixedOut(model, kind), MixedOutMatrix(kind),
                MixedOutBias(model, kind), AttentionPostNorm, Input, kind.HasFeedForward ? Residual : Output),
        ];

    private static ImmutableArray<KernelCall> FeedForward(ModelConfig model, LayerKind kind) =>
        [
            .. model.HasFfnNorm ? Some(FfnNorm(model, kind).Forward(model, Norm2)) : [],
            .. kind.Experts is { } experts ? ExpertsForward(model, kind, experts) : DenseForward(model, kind),
        ];

    private static ImmutableArray<KernelCall> DenseForward(ModelConfig model, LayerKind kind) =>
        [
            Product(FfnInput(model), WeightName.GateUp, Bias(model, Biases.FeedForward, WeightName.GateUpBias), GateUp),
            ActivationForward(model),
            .. IntoStream(
                model, Ffn, WeightName.Down, Bias(model, Biases.FeedForward, WeightName.DownBias),
                FfnPostNorm, FfnStream(kind), FfnSum(model)),
        ];

    /// <summary>What passes between tokens: attention, or what stands in its place.</summary>
    private static ImmutableArray<KernelCall> Mix(ModelConfig model, LayerKind kind) =>
        kind.Attends ? Attention(model, kind)
        : kind.Recurrence is { } recurrence ? RecurrenceForward(model, recurrence)
        : Convolution(model);

    /// <summary>Its result, as it goes into a product.</summary>
    private static TensorName MixedOut(ModelConfig model, LayerKind kind) =>
        IsGated(model, kind) ? AttentionGated
        : NarrowsValues(model) ? AttentionValues
        : kind.Attends ? AttentionOut
        : kind.Recurrence is null ? ConvolutionOutput
        : RecurrenceGated;

    /// <summary>The matrix of that product.</summary>
    private static WeightName MixedOutMatrix(LayerKind kind) =>
        kind.Attends ? WeightName.AttentionOut
        : kind.Recurrence is null ? WeightName.ConvolutionOut
        : WeightName.RecurrenceOut;

    private static Operand? MixedOutBias(ModelConfig model, LayerKind kind) =>
        kind.Recurrence is null ? Bias(model, Biases.AttentionOut, WeightName.AttentionOutBias)
        : kind.Recurrence.HasProductBiases ? W(WeightName.RecurrenceOutBias)
        : null;

    /// <summary>Whether attention's output is gated.</summary>
    private static bool IsGated(ModelConfig model, LayerKind kind) => kind.Attends && model.AttentionGate;

    private static ImmutableArray<KernelCall> Attention(ModelConfig model, LayerKind kind) =>
        [
            .. model.Latent is { } latent ? LatentQkv(model, kind, latent)
                : IsGated(model, kind)
                ?
                [
                    Product(AttentionInput(model), WeightName.Qkv, null, AttentionGate) with { B = GateRows(model) },
                    Product(AttentionInput(model), WeightName.Qkv, null, Qkv) with { B = QkvRows(model) },
                    Rotation(model, kind),
                ]
                :
                [
                    Product(AttentionInput(model), WeightName.Qkv, Bias(model, Biases.Qkv, WeightName.QkvBias), Qkv),
                    Rotation(model, kind),
                ],
            new AttentionForwardCall
            {
                Query = Query,
                Keys = KvWindow,
                FirstKey = FirstKeyOf(kind),
                Output = AttentionOut,
                Lse = Lse,
            },
            .. model.AttentionSinks
                ? Some(new AttentionSinkForwardCall { Sinks = W(WeightName.AttentionSinks), Output = AttentionOut, Lse = Lse })
                : [],
            .. IsGated(model, kind)
                ? Some(new OutputGateForwardCall { X = AttentionOut, Gate = AttentionGate, Y = AttentionGated })
                : NarrowsValues(model) ? Some(new ResizeHeadsCall { From = AttentionOut, To = AttentionValues })
                : [],
        ];

    /// <summary>Norms of heads, if there are any, and rotation.</summary>
    private static QkNormRopeForwardCall Rotation(ModelConfig model, LayerKind kind) =>
        new()
        {
            Qkv = Qkv,
            FirstKey = FirstKey,
            QueryNorm = model.QkNorm ? W(WeightName.QNorm) : null,
            KeyNorm = model.QkNorm && !kind.SharesKv ? W(WeightName.KNorm) : null,
            QueriesAlone = kind.SharesKv,
            KeysAreValues = kind.KeysAreValues,
            Rotary = RotaryTable.Of(model, kind),
            NormKind = model.QkNormKind,
            WeightOffset = model.NormWeightOffset,
            QueryScale = QueryScaleOf(model, kind),
            Lengths = RotaryLengthsOf(model, kind),
            Query = Query,
            KeyValue = kind.SharesKv ? null : KvPiece,
        };

    private static ImmutableArray<KernelCall> Convolution(ModelConfig model) =>
        [
            Product(AttentionInput(model), WeightName.ConvolutionIn, null, ConvolutionInput),
            new GatedConvolutionForwardCall
            {
                X = ConvolutionInput,
                Taps = W(WeightName.ConvolutionTaps),
                FirstKey = FirstKey,
                States = KvWindow,
                State = KvPiece,
                Y = ConvolutionOutput,
            },
        ];

    /// <summary>What attention's projections are of.</summary>
    private static TensorName AttentionInput(ModelConfig model) => model.Placement == NormPlacement.After ? Input : Norm1;

    /// <summary>What the feed-forward is of.</summary>
    private static TensorName FfnInput(ModelConfig model) =>
        model.Placement switch
        {
            NormPlacement.After => Residual,
            NormPlacement.ParallelShared => Norm1,
            _ => Norm2,
        };

    private static DecoderNorm AttentionNorm => new(WeightName.AttentionNorm, WeightName.AttentionNormBias, Input, Rstd1);

    private static DecoderNorm AttentionPostNorm => new(WeightName.AttentionPostNorm, default, AttentionProjection, Rstd3);

    private static DecoderNorm FfnPostNorm => new(WeightName.FfnPostNorm, default, FfnProjection, Rstd4);

    private static DecoderNorm FfnNorm(ModelConfig model, LayerKind kind) =>
        new(WeightName.FfnNorm, WeightName.FfnNormBias, model.Placement == NormPlacement.Parallel ? Input : FfnStream(kind), Rstd2);

    /// <summary>The stream that the feed-forward adds to.</summary>
    private static TensorName FfnStream(LayerKind kind) => kind.HasMixer ? Residual : Input;

    /// <summary>By what queries are multiplied, in layers whose positions say so.</summary>
    private static RotaryOperands? RotaryLengthsOf(ModelConfig model, LayerKind kind) =>
        model.PositionsOf(kind).DependOnLength ? new RotaryOperands(TensorName.RotarySet, TensorName.RotarySets) : null;

    private static QueryScale? QueryScaleOf(ModelConfig model, LayerKind kind) =>
        model.PositionsOf(kind).Scaling is { QueryGrowth: { } beta } scaling ? new QueryScale(beta, (int)scaling.OriginalPositions) : null;

    /// <summary>Where attention begins; positions count from the document's first token either way.</summary>
    private static TensorName FirstKeyOf(LayerKind kind) => kind.Window is null ? FirstKey : FirstKeyInWindow;

    /// <summary>What a sublayer adds to the stream: its product, or that product's norm.</summary>
    private static ImmutableArray<KernelCall> IntoStream(
        ModelConfig model,
        TensorName a,
        WeightName weight,
        Operand? bias,
        DecoderNorm postNorm,
        TensorName stream,
        TensorName sum
    ) =>
        model.HasPostNorms
            ? [Product(a, weight, bias, postNorm.X), postNorm.Forward(model, sum, stream)]
            : [Product(a, weight, bias, sum) with { Addend = stream, Scale = (float)model.ResidualScale }];

    private static GemmForwardCall Product(TensorName a, WeightName weight, Operand? bias, TensorName c) =>
        new()
        {
            A = a,
            B = W(weight),
            Bias = bias,
            C = c,
        };

    private static KernelCall ActivationForward(ModelConfig model) =>
        model.GatedFfn
            ? new GatedActivationForwardCall
            {
                Activation = model.Activation,
                GateUp = GateUp,
                Ffn = Ffn,
            }
            : new UngatedActivationForwardCall
            {
                Activation = model.Activation,
                Up = GateUp,
                Ffn = Ffn,
            };

    private static Operand? Bias(ModelConfig model, Biases bias, WeightName name) => model.Biases.HasFlag(bias) ? W(name) : null;

    private static ImmutableArray<KernelCall> Some(KernelCall call) => [call];
}
