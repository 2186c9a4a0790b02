using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>What people call the tensors of block programs, and which of them are looked at for values that are not finite.</summary>
internal static class TensorTerms
{
    /// <summary>
    /// Whether all of it is written and is to be finite: not what kernels keep between their stages, nor running maxima, which begin at
    /// minus infinity, nor the statistics of logits, where NaN stands for a target whose block is still to come, nor sums of pairs, which
    /// are fp64.
    /// </summary>
    public static bool IsLookedAt(TensorName tensor) =>
        tensor
            is not (
                TensorName.Partials
                or TensorName.Unused
                or TensorName.AttentionSums
                or TensorName.AttentionMaxima
                or TensorName.AttentionTotals
                or TensorName.GradQuerySums
                or TensorName.LogitStatistics
                or TensorName.Pairs
            );

    /// <summary>What an operand that a call wrote holds afterwards: backwards of activations replace what they are given.</summary>
    public static TensorName Written(KernelCall call, TensorName tensor) =>
        call is not (GatedActivationBackwardCall or UngatedActivationBackwardCall) ? tensor
        : tensor == TensorName.GradFfn ? TensorName.Ffn
        : TensorName.GradFfn;

    /// <summary>What it is.</summary>
    public static NonFiniteKind KindOf(TensorName tensor) =>
        tensor switch
        {
            TensorName.Weight or TensorName.DenseWeight or TensorName.HeadBias => NonFiniteKind.Weight,
            TensorName.WeightGradient => NonFiniteKind.WeightGradient,
            TensorName.GradStream
            or TensorName.GradFfn
            or TensorName.GradNorm1
            or TensorName.GradNorm2
            or TensorName.GradAttention
            or TensorName.GradQuery
            or TensorName.GradKvPiece
            or TensorName.GradKvWindow
            or TensorName.GradKvSegment
            or TensorName.GradQkv
            or TensorName.GradLogits
            or TensorName.GradHeadSum
            or TensorName.GradHeadNorm
            or TensorName.GradConvolutionInput
            or TensorName.GradConvolutionOutput
            or TensorName.GradRecurrenceInput
            or TensorName.GradRecurrenceOutput
            or TensorName.GradChannels
            or TensorName.GradAttentionGate
            or TensorName.GradAttentionValues
            or TensorName.GradQueryLatent
            or TensorName.GradKvLatent
            or TensorName.GradKvUp
            or TensorName.GradKeyRotary
            or TensorName.GradKeyRotated
            or TensorName.GradProjection => NonFiniteKind.ActivationGradient,
            _ => NonFiniteKind.ForwardValue,
        };

    /// <summary>With its article, to stand in a sentence.</summary>
    public static string Of(TensorName tensor) =>
        tensor switch
        {
            TensorName.Input => "the residual stream at the layer's entry",
            TensorName.Output => "the residual stream at the layer's exit",
            TensorName.Residual => "the residual stream after attention",
            TensorName.StreamRows or TensorName.LogitInput => "the residual stream",
            TensorName.Norm1 => "the normed input of attention",
            TensorName.Norm2 => "the normed input of the feed-forward",
            TensorName.HeadNorm => "the normed input of the head",
            TensorName.Rstd1 or TensorName.Rstd2 or TensorName.Rstd3 or TensorName.Rstd4 or TensorName.HeadRstd =>
                "the reciprocal standard deviations of a norm",
            TensorName.Qkv => "the projections Q, K and V",
            TensorName.Query => "the queries",
            TensorName.KvPiece or TensorName.KvWindow or TensorName.KvSegment => "keys and values",
            TensorName.AttentionOut => "the output of attention",
            TensorName.Lse => "the logsumexp of attention's scores",
            TensorName.AttentionProjection => "the projected output of attention",
            TensorName.GateUp => "the feed-forward's first products",
            TensorName.Ffn => "the feed-forward's activation",
            TensorName.FfnProjection => "the feed-forward's last product",
            TensorName.Logits => "the logits",
            TensorName.Loss => "the loss",
            TensorName.GradStream => "the gradient of the residual stream",
            TensorName.GradFfn => "the gradient in the feed-forward",
            TensorName.GradNorm1 => "the gradient of the normed input of attention",
            TensorName.GradNorm2 => "the gradient of the normed input of the feed-forward",
            TensorName.GradAttention => "the gradient of the output of attention",
            TensorName.GradQuery => "the gradient of the queries",
            TensorName.GradKvPiece or TensorName.GradKvWindow or TensorName.GradKvSegment => "the gradient of keys and values",
            TensorName.GradQkv => "the gradient of the projections Q, K and V",
            TensorName.ConvolutionInput => "what a convolution is of",
            TensorName.ConvolutionOutput => "the output of a convolution",
            TensorName.GradConvolutionInput => "the gradient of what a convolution is of",
            TensorName.GradConvolutionOutput => "the gradient of a convolution's output",
            TensorName.RecurrenceInput => "what a recurrence is of",
            TensorName.Channels => "the queries, keys and values of a recurrence",
            TensorName.RecurrenceOutput => "the output of a recurrence",
            TensorName.RecurrenceGated => "the gated output of a recurrence",
            TensorName.AttentionGate => "what attention's output is gated by",
            TensorName.AttentionGated => "the gated output of attention",
            TensorName.AttentionValues => "the output of attention",
            TensorName.QueryLatent or TensorName.QueryLatentNorm => "what queries are of",
            TensorName.KvLatent or TensorName.KvLatentNorm => "what keys and values are of",
            TensorName.KvUp => "keys and values before they are joined",
            TensorName.KeyRotary or TensorName.KeyRotated => "the part of keys that turns",
            TensorName.GradAttentionValues => "the gradient of the output of attention",
            TensorName.GradQueryLatent => "the gradient of what queries are of",
            TensorName.GradKvLatent => "the gradient of what keys and values are of",
            TensorName.GradKvUp => "the gradient of keys and values before they are joined",
            TensorName.GradKeyRotary or TensorName.GradKeyRotated => "the gradient of the part of keys that turns",
            TensorName.GradRecurrenceInput => "the gradient of what a recurrence is of",
            TensorName.GradChannels => "the gradient of the queries, keys and values of a recurrence",
            TensorName.GradRecurrenceOutput => "the gradient of a recurrence's output",
            TensorName.GradAttentionGate => "the gradient of what attention's output is gated by",
            TensorName.GradProjection => "the gradient of a projection",
            TensorName.GradLogits => "the gradient of the logits",
            TensorName.GradHeadSum or TensorName.GradHeadNorm => "the gradient of the normed input of the head",
            _ => tensor.ToString(),
        };
}
