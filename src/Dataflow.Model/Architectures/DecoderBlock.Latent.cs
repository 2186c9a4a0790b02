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
                    Product(x, WeightName.QueryLatent, Bias(model, Biases.Qkv, WeightName.QueryLatentBias), QueryLatent),
                    LatentNorm(WeightName.QueryLatentNorm, QueryLatent, QueryLatentRstd, QueryLatentNorm),
                ],
            Product(QueryInput(model, of), WeightName.QueryUp, null, Qkv),
            Rotation(model, kind) with { QueriesAlone = true, KeyValue = null },
            LatentProduct(model, KvLatent, 0, of.KvRank),
            LatentNorm(WeightName.KvLatentNorm, KvLatent, KvLatentRstd, KvLatentNorm),
            Product(KvLatentNorm, WeightName.KvUp, null, KvUp),
            LatentProduct(model, KeyRotary, of.KvRank, of.RotatedDim),
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
            .. LatentProductBackward(model, GradKvLatent, 0, of.KvRank, adds: model.Placement == NormPlacement.After),
            .. LatentProductBackward(model, GradKeyRotary, of.KvRank, of.RotatedDim, adds: true),
            .. of.QueryRank is null
                ?
                [
                    MixInputGradient(model, GradQkv, WeightName.QueryUp) with { Adds = true },
                    .. WeightGradients(model, GradQkv, AttentionInput(model), WeightName.QueryUp, Biases.None, default),
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
            .. WeightGradients(
                model, GradQueryLatent, AttentionInput(model), WeightName.QueryLatent, Biases.Qkv, WeightName.QueryLatentBias),
        ];

    /// <summary>Some rows of what keys and values are of, and of its bias.</summary>
    private static GemmForwardCall LatentProduct(ModelConfig model, TensorName result, int first, int rows) =>
        Product(AttentionInput(model), WeightName.KvLatent, Bias(model, Biases.Qkv, WeightName.KvLatentBias)?.Columns(first, rows), result)
            with
            {
                B = W(WeightName.KvLatent).Rows(first, rows),
            };

    private static ImmutableArray<KernelCall> LatentProductBackward(
        ModelConfig model, TensorName gradient, int first, int rows, bool adds)
    {
        var matrix = W(WeightName.KvLatent).Rows(first, rows);
        return
        [
            MixInputGradient(model, gradient, WeightName.KvLatent) with { B = matrix, Adds = adds },
            MatrixGradient(model, gradient, matrix),
            .. model.Biases.HasFlag(Biases.Qkv)
                ? Some(new ColumnSumCall { A = gradient, C = G(WeightName.KvLatentBias).Columns(first, rows) })
                : [],
        ];
    }

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
