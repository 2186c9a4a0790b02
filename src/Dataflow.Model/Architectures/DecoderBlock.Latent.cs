using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <content>
/// Latent attention: queries, keys and values as attention takes them, of narrow normed vectors. What is kept for a backward is those
/// vectors, of which keys and values follow by one product.
/// </content>
internal static partial class DecoderBlock
{
    /// <summary>Attention computes heads as wide as keys: of its output, as many columns as values have go on.</summary>
    private static bool NarrowsValues(ModelConfig model) => model.Latent is { } latent && latent.ValueDim < model.HeadDim;

    private static ImmutableArray<KernelCall> LatentQkv(ModelConfig model, LayerKind kind, LatentAttention of)
    {
        var x = AttentionInput(model);
        return
        [
            .. of.QueryRank is null
                ? ImmutableArray<KernelCall>.Empty
                :
                [
                    Product(x, WeightName.QueryLatent, null, QueryLatent),
                    LatentNorm(WeightName.QueryLatentNorm, QueryLatent, QueryLatentRstd, QueryLatentNorm),
                ],
            Product(QueryInput(model, of), WeightName.QueryUp, null, Qkv),
            Rotation(model, kind) with { QueriesAlone = true, KeyValue = null },
            Product(x, WeightName.KvLatent, null, KvLatent) with { B = W(WeightName.KvLatent).Rows(0, of.KvRank) },
            LatentNorm(WeightName.KvLatentNorm, KvLatent, KvLatentRstd, KvLatentNorm),
            Product(KvLatentNorm, WeightName.KvUp, null, KvUp),
            Product(x, WeightName.KvLatent, null, KeyRotary) with { B = W(WeightName.KvLatent).Rows(of.KvRank, of.RotatedDim) },
            Rotation(model, kind) with
            {
                Qkv = KeyRotary,
                QueriesAlone = true,
                SingleHead = of.RotatedDim,
                Rotary = RotaryTable.Of(model, kind).First(of.RotatedDim / 2),
                Query = KeyRotated,
                KeyValue = null,
            },
            new JoinHeadsCall { Up = KvUp, Rotated = KeyRotated, KeyValue = KvPiece },
        ];
    }

    private static ImmutableArray<KernelCall> LatentQkvBackward(ModelConfig model, LayerKind kind, LatentAttention of)
    {
        var (x, plain) = (AttentionInput(model), W(WeightName.KvLatent).Rows(0, of.KvRank));
        var turned = W(WeightName.KvLatent).Rows(of.KvRank, of.RotatedDim);
        return
        [
            RotationBackward(model, kind) with { GradKeyValue = null },
            new SplitHeadsCall { GradKeyValue = GradKvPiece, GradUp = GradKvUp, GradRotated = GradKeyRotated },
            RotationBackward(model, kind) with
            {
                GradQuery = GradKeyRotated,
                GradKeyValue = null,
                SingleHead = of.RotatedDim,
                Rotary = RotaryTable.Of(model, kind).First(of.RotatedDim / 2),
                GradQkv = GradKeyRotary,
            },
            InputGradient(GradKvUp, WeightName.KvUp, GradKvLatent),
            .. WeightGradients(model, GradKvUp, KvLatentNorm, WeightName.KvUp, Biases.None, default),
            LatentNormBackward(kind, WeightName.KvLatentNorm, KvLatent, KvLatentRstd, GradKvLatent),
            MixInputGradient(model, GradKvLatent, WeightName.KvLatent) with { B = plain },
            MatrixGradient(model, GradKvLatent, plain),
            MixInputGradient(model, GradKeyRotary, WeightName.KvLatent) with { B = turned, Adds = true },
            MatrixGradient(model, GradKeyRotary, turned),
            .. of.QueryRank is null
                ?
                [
                    MixInputGradient(model, GradQkv, WeightName.QueryUp) with { Adds = true },
                    .. WeightGradients(model, GradQkv, x, WeightName.QueryUp, Biases.None, default),
                ]
                : LatentQueriesBackward(model, kind),
        ];
    }

    private static ImmutableArray<KernelCall> LatentQueriesBackward(ModelConfig model, LayerKind kind) =>
        [
            InputGradient(GradQkv, WeightName.QueryUp, GradQueryLatent),
            .. WeightGradients(model, GradQkv, QueryLatentNorm, WeightName.QueryUp, Biases.None, default),
            LatentNormBackward(kind, WeightName.QueryLatentNorm, QueryLatent, QueryLatentRstd, GradQueryLatent),
            MixInputGradient(model, GradQueryLatent, WeightName.QueryLatent) with { Adds = true },
            .. WeightGradients(model, GradQueryLatent, AttentionInput(model), WeightName.QueryLatent, Biases.None, default),
        ];

    private static TensorName QueryInput(ModelConfig model, LatentAttention of) =>
        of.QueryRank is null ? AttentionInput(model) : QueryLatentNorm;

    private static RmsNormForwardCall LatentNorm(WeightName weight, TensorName x, TensorName rstd, TensorName y) =>
        new()
        {
            X = x,
            Weight = W(weight),
            Epsilon = LatentAttention.NormEps,
            Y = y,
            Rstd = rstd,
        };

    private static RmsNormBackwardCall LatentNormBackward(
        LayerKind kind, WeightName weight, TensorName x, TensorName rstd, TensorName gradient) =>
        new()
        {
            GradY = gradient,
            X = x,
            Rstd = rstd,
            Weight = W(weight),
            GradX = gradient,
            Adds = false,
            GradWeight = Gradient(kind, weight),
            Workspace = Partials,
        };
}
