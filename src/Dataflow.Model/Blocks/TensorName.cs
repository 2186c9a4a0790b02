namespace Dataflow.Model;

/// <summary>
/// The tensors that block programs name. T tokens of a chunk, D model width, q = heads x head_dim, kv = KV heads x head_dim.
/// </summary>
public enum TensorName
{
    /// <summary>A weight; which one is in <see cref="Operand.Weight"/>.</summary>
    Weight,
    /// <summary>The gradient of a weight.</summary>
    WeightGradient,
    /// <summary>
    /// A weight in the recipe's type, where it is stored in another, from its <see cref="DequantizeCall"/> to the product that follows:
    /// those of a program follow each other in one place, as large as the largest. Which weight is in <see cref="Operand.Weight"/>.
    /// </summary>
    DenseWeight,
    /// <summary>[T] int32 token ids.</summary>
    Ids,
    /// <summary>[T] int32, -1 where a target is not counted.</summary>
    Targets,
    /// <summary>[T] int32, window row of the first token that this one attends to (its document's first); never decreases.</summary>
    FirstKey,
    /// <summary>[T] int32, the same where a layer's attention has a window: its first key, where that is later.</summary>
    FirstKeyInWindow,
    /// <summary>[T] int32, token indices sorted by id.</summary>
    Order,
    /// <summary>[T, D] residual stream at the block's entry.</summary>
    Input,
    /// <summary>[T, D] normed input.</summary>
    Norm1,
    /// <summary>[T] fp32 reciprocal root mean square.</summary>
    Rstd1,
    /// <summary>[T, q + 2 kv] raw projections; [T, q] where keys and values are shared or latent.</summary>
    Qkv,
    /// <summary>[T, q] rotated queries.</summary>
    Query,
    /// <summary>[T, 2 kv] this chunk's rows of the window: rotated K, then V.</summary>
    KvPiece,
    /// <summary>[window, 2 kv] the context window up to this chunk.</summary>
    KvWindow,
    /// <summary>[rows, 2 kv] one segment of the context window, up to this chunk.</summary>
    KvSegment,
    /// <summary>[T, q].</summary>
    AttentionOut,
    /// <summary>[heads, T] fp32.</summary>
    Lse,
    /// <summary>At least [T, q] fp32, the output before it is divided by <see cref="AttentionTotals"/>: carried over segments.</summary>
    AttentionSums,
    /// <summary>[heads, T] fp32, running maximum of the scores.</summary>
    AttentionMaxima,
    /// <summary>[heads, T] fp32, running sum of exponentials under the maximum.</summary>
    AttentionTotals,
    /// <summary>[T, D] residual stream after attention.</summary>
    Residual,
    /// <summary>[T, D].</summary>
    Norm2,
    /// <summary>[T] fp32.</summary>
    Rstd2,
    /// <summary>[T, 2 F]; GatedActivationBackward replaces it by its gradient.</summary>
    GateUp,
    /// <summary>[T, F].</summary>
    Ffn,
    /// <summary>[T, D] residual stream at the next block's entry.</summary>
    Output,
    /// <summary>[T, D] gradient of the residual stream, updated in place from block to block.</summary>
    GradStream,
    /// <summary>[T, F] gradient of Ffn; GatedActivationBackward replaces it by Ffn itself.</summary>
    GradFfn,
    /// <summary>[T, D].</summary>
    GradNorm2,
    /// <summary>[T, q].</summary>
    GradAttention,
    /// <summary>[T, q].</summary>
    GradQuery,
    /// <summary>At least [T, q] fp32, the gradient of the query before it is rounded: carried over key blocks and segments.</summary>
    GradQuerySums,
    /// <summary>[T, 2 kv] fp32, this chunk's rows of GradKvWindow.</summary>
    GradKvPiece,
    /// <summary>[window, 2 kv] fp32, accumulated over all later chunks.</summary>
    GradKvWindow,
    /// <summary>[rows, 2 kv] fp32, the rows of GradKvWindow that belong to <see cref="KvSegment"/>.</summary>
    GradKvSegment,
    /// <summary>[T, q + 2 kv], or [T, q] likewise.</summary>
    GradQkv,
    /// <summary>[T, D].</summary>
    GradNorm1,
    /// <summary>[head tokens, D].</summary>
    HeadNorm,
    /// <summary>[head tokens] fp32.</summary>
    HeadRstd,
    /// <summary>[head tokens, V] fp32; V rows of a block where the vocabulary is cut.</summary>
    Logits,
    /// <summary>[head tokens, V], or rows of a block.</summary>
    GradLogits,
    /// <summary>
    /// [3, T] fp32: each row's largest logit, the sum of exp(logit - largest), the target's logit; 0 where no target counts.
    /// </summary>
    LogitStatistics,
    /// <summary>[T, D] fp32 gradient of HeadNorm for the whole chunk, summed over the blocks of the vocabulary.</summary>
    GradHeadSum,
    /// <summary>[head tokens, D].</summary>
    GradHeadNorm,
    /// <summary>
    /// What kernels that work in stages keep between them; the most that any of a program's calls needs (<see cref="KernelWorkspace"/>).
    /// </summary>
    Partials,
    /// <summary>One fp32: the sum of the chunk's token losses.</summary>
    Loss,
    /// <summary>[T, D] attention's output projected, where a norm follows.</summary>
    AttentionProjection,
    /// <summary>[T] fp32, of the norm after attention.</summary>
    Rstd3,
    /// <summary>[T, D] the feed-forward's product, where a norm follows.</summary>
    FfnProjection,
    /// <summary>[T] fp32, of the norm after the feed-forward.</summary>
    Rstd4,
    /// <summary>[T, D] gradient of either projection.</summary>
    GradProjection,
    /// <summary>[T, D] of a norm that is recomputed for its roots alone.</summary>
    Unused,
    /// <summary>[vocabulary] fp32, the head's bias in the type of logits, where parameters have another.</summary>
    HeadBias,
    /// <summary>[T] int32, where each token stands in its document; only in models that learn positions.</summary>
    Positions,
    /// <summary>[T] int32, token indices sorted by position.</summary>
    PositionOrder,
    /// <summary>[T] int32, which of the rotary frequencies are those of the token's document, where its length changes them.</summary>
    RotarySet,
    /// <summary>[sets, head_dim / 2] fp64: these frequencies.</summary>
    RotarySets,
    /// <summary>[T] int32, the row of the cache that is each token's own, where sequences are continued.</summary>
    CacheRow,
    /// <summary>
    /// [T] int32, likewise: where each token's document would begin if its chunk's tokens followed each other from row 0 on, each at its
    /// own position.
    /// </summary>
    PositionBase,
    /// <summary>[logits] int32, the tokens whose logits are asked for.</summary>
    LogitToken,
    /// <summary>[T, D] the residual stream of all tokens of a chunk, of which rows are picked.</summary>
    StreamRows,
    /// <summary>[logits, D] the residual stream of the tokens whose logits are asked for.</summary>
    LogitInput,
    /// <summary>[T] fp32, the weight of each target in the loss, where targets have some.</summary>
    TargetWeights,
    /// <summary>[T] int32, the number of each token's document in its round, where documents are pairs.</summary>
    Sequences,
    /// <summary>What a round's pairs are compared by, and their sums of log-probabilities (<see cref="PairTable"/>).</summary>
    Pairs,
    /// <summary>[head tokens] fp32, the weight of each target that follows from the loss of its pair.</summary>
    PairWeights,
    /// <summary>[T, 3 D] b, c and h of a gated convolution.</summary>
    ConvolutionInput,
    /// <summary>[T, D] its result.</summary>
    ConvolutionOutput,
    /// <summary>[T, 3 D].</summary>
    GradConvolutionInput,
    /// <summary>[T, D].</summary>
    GradConvolutionOutput,
    /// <summary>[T, channels + value width + gates] what a recurrence is of.</summary>
    RecurrenceInput,
    /// <summary>[T, channels] queries, keys and values of a recurrence, after its convolution.</summary>
    Channels,
    /// <summary>[T, value width] what a recurrence reads of its states.</summary>
    RecurrenceOutput,
    /// <summary>[T, value width] the same normed and gated.</summary>
    RecurrenceGated,
    /// <summary>[T, channels + value width + gates].</summary>
    GradRecurrenceInput,
    /// <summary>[T, channels].</summary>
    GradChannels,
    /// <summary>[T, value width] of RecurrenceGated; GatedNormBackward replaces it by that of RecurrenceOutput.</summary>
    GradRecurrenceOutput,
    /// <summary>[T, q] what attention's output is gated by.</summary>
    AttentionGate,
    /// <summary>[T, q] attention's output, gated.</summary>
    AttentionGated,
    /// <summary>[T, q].</summary>
    GradAttentionGate,
    /// <summary>
    /// [T, ranks] a product's input times the A of its adapters; which product is in <see cref="Operand.Weight"/>. Those of a program
    /// follow each other in one place.
    /// </summary>
    LowRank,
    /// <summary>[T, ranks] its gradient, likewise.</summary>
    GradLowRank,
    /// <summary>[2, rows] fp32: by what DoRA multiplies rows, and 1 / length; whose is in <see cref="Operand.Weight"/>.</summary>
    DoraScales,
    /// <summary>
    /// [T, in] a product's input of which an adapter's dropout leaves some out, or what of its gradient comes from there; which product is
    /// in <see cref="Operand.Weight"/>. Those of a program follow each other in one place.
    /// </summary>
    Dropped,
    /// <summary>As <see cref="Qkv"/>, before DoRA multiplies it.</summary>
    UnscaledQkv,
    /// <summary>[T, D], attention's output projected, likewise.</summary>
    UnscaledAttentionOut,
    /// <summary>As <see cref="GateUp"/>, likewise.</summary>
    UnscaledGateUp,
    /// <summary>[T, D], the feed-forward's product, likewise.</summary>
    UnscaledDown,
    /// <summary>[T, E] fp32, what experts are chosen by; behind them the gate of the shared expert, where it has one.</summary>
    RouterLogits,
    /// <summary>[T, E], likewise.</summary>
    GradRouterLogits,
    /// <summary>[T, K] int32, the experts of each token, the likeliest first.</summary>
    Choices,
    /// <summary>[T, K] int32, which of the T K routed rows is that of a token and a choice of its.</summary>
    Places,
    /// <summary>[T K] int32, the token of each routed row: rows of one expert follow each other, in the order of tokens.</summary>
    RoutedTokens,
    /// <summary>[E + 1] int32, the first routed row of each expert; their number.</summary>
    ExpertRows,
    /// <summary>[T K] fp32, by what each routed row counts.</summary>
    RouteWeights,
    /// <summary>[T K] fp32.</summary>
    GradRouteWeights,
    /// <summary>[T] fp32, by what the shared expert counts, where it has a gate.</summary>
    SharedWeights,
    /// <summary>[T] fp32.</summary>
    GradSharedWeights,
    /// <summary>[T K, D], what each expert is of: a token's row as often as it has experts.</summary>
    RoutedInput,
    /// <summary>[T K, D].</summary>
    GradRoutedInput,
    /// <summary>[T K, 2 F]; WeightedActivationBackward replaces it by its gradient.</summary>
    ExpertGateUp,
    /// <summary>[T K, F], times the row's weight.</summary>
    ExpertFfn,
    /// <summary>[T K, F]; WeightedActivationBackward replaces it by <see cref="ExpertFfn"/>.</summary>
    GradExpertFfn,
    /// <summary>[T K, D].</summary>
    ExpertOut,
    /// <summary>[T K, D].</summary>
    GradExpertOut,
    /// <summary>
    /// [2, E] fp32: how often each expert was chosen, and the sum of its probabilities, over all sparse layers and chunks of a round; where
    /// there is a load-balancing loss.
    /// </summary>
    ExpertLoad,
    /// <summary>[T, query rank], what queries of latent attention are of (<see cref="LatentAttention"/>).</summary>
    QueryLatent,
    /// <summary>[T] fp32, of its norm.</summary>
    QueryLatentRstd,
    /// <summary>[T, query rank], normed.</summary>
    QueryLatentNorm,
    /// <summary>[T, rank], what keys and values are of.</summary>
    KvLatent,
    /// <summary>[T] fp32, of its norm.</summary>
    KvLatentRstd,
    /// <summary>[T, rank], normed.</summary>
    KvLatentNorm,
    /// <summary>[T, heads x (plain + value)], of each head the part of its key that does not turn, then its value.</summary>
    KvUp,
    /// <summary>[T, rotated], the part of all heads' keys that turns.</summary>
    KeyRotary,
    /// <summary>[T, rotated], turned.</summary>
    KeyRotated,
    /// <summary>[T, heads x value], attention's output where values are narrower than keys.</summary>
    AttentionValues,
    /// <summary>[T, query rank] of the norm; RmsNormBackward replaces it by that of what is normed.</summary>
    GradQueryLatent,
    /// <summary>[T, rank], likewise.</summary>
    GradKvLatent,
    /// <summary>[T, heads x (plain + value)].</summary>
    GradKvUp,
    /// <summary>[T, rotated].</summary>
    GradKeyRotary,
    /// <summary>[T, rotated], summed over heads.</summary>
    GradKeyRotated,
    /// <summary>[T, heads x value].</summary>
    GradAttentionValues,
    /// <summary>[T, D] the normed stream that a router reads, where it has a norm of its own.</summary>
    RouterInput,
    /// <summary>[T] fp32.</summary>
    RouterRstd,
    /// <summary>[T K] fp32, <see cref="RouteWeights"/> times a number of each row's expert.</summary>
    ScaledWeights,
    /// <summary>[T, D] the normed stream that experts beside the dense feed-forward are of.</summary>
    ExpertInput,
    /// <summary>[T] fp32.</summary>
    ExpertRstd,
    /// <summary>[T, D] what the dense feed-forward beside them yields, before its norm.</summary>
    DenseProjection,
    /// <summary>[T] fp32, of that norm.</summary>
    DensePostRstd,
    /// <summary>[T, D] what the experts yield together, before their norm.</summary>
    ExpertSum,
    /// <summary>[T] fp32, of that norm.</summary>
    ExpertPostRstd,
    /// <summary>[T, D] gradient of either.</summary>
    GradBranch,

    /// <summary>[T, layers x P] what all layers take of the chunk's tokens: made with the embedding.</summary>
    LayerInputs,
    /// <summary>[T x layers, P] the same, a row for each layer of a token.</summary>
    LayerInputRows,
    /// <summary>[T x layers] fp32, of the norm of what is projected of the embedding.</summary>
    LayerInputRstd,
    /// <summary>[T x layers, P] the same normed, where the roots alone are wanted.</summary>
    LayerInputNormed,
    /// <summary>[T, layers x P] gradient of <see cref="LayerInputs"/>, to which each layer adds its columns.</summary>
    GradLayerInputs,
    /// <summary>[T x layers, P] the same, a row for each layer of a token.</summary>
    GradLayerInputRows,
    /// <summary>[T, P] a layer's columns of <see cref="LayerInputs"/>.</summary>
    LayerInput,
    /// <summary>[T, P] a layer's columns of <see cref="GradLayerInputs"/>.</summary>
    GradLayerInput,
    /// <summary>[T, D] the stream before what a layer makes of its input is added.</summary>
    BeforeInput,
    /// <summary>[T, P] the gate that the input goes through; InputGateBackward replaces it by its gradient.</summary>
    InputGate,
    /// <summary>[T, P] the gated input.</summary>
    GatedInput,
    /// <summary>[T, P] its gradient; InputGateBackward replaces it by the gated input itself.</summary>
    GradGatedInput,
    /// <summary>[T, D] the product of that, before its norm.</summary>
    InputProjection,
    /// <summary>[T] fp32, of that norm.</summary>
    InputPostRstd,
}
