using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// The closed catalog of kernels. A device implements each; the same name is a .cu file, a CPU file, a test and a benchmark.
/// </summary>
public enum Kernel
{
    /// <summary>x [T, D] = rows of the table [vocabulary, D] by token id.</summary>
    EmbeddingForward,

    /// <summary>Adds rows of dx [T, D] to the rows of the table's gradient by token id.</summary>
    EmbeddingBackward,

    /// <summary>y = x rstd w, with rstd [T] of the rows of x [T, D].</summary>
    RmsNormForward,

    /// <summary>dx [T, D], plus an addend, and dw (+)= its gradient [D], summed over tokens.</summary>
    RmsNormBackward,

    /// <summary>c = a b^T: reads a, b and optionally an addend; an activation times a weight.</summary>
    GemmForward,

    /// <summary>c (+)= a b: a gradient times a weight.</summary>
    GemmInputGradient,

    /// <summary>c (+)= a^T b: a gradient times an activation, summed over tokens.</summary>
    GemmWeightGradient,

    /// <summary>Q [T, q] and K|V [T, 2 kv] of the raw Q|K|V: norm of each head where the model has it, then rotation.</summary>
    QkNormRopeForward,

    /// <summary>Gradient of the raw Q|K|V [T, q + 2 kv] from those of Q, K and V.</summary>
    QkNormRopeBackward,

    /// <summary>Output [T, q] and logsumexp [heads, T] of causal attention within documents, over the whole window.</summary>
    AttentionForward,

    /// <summary>dQ [T, q], and dK|dV (+)= over the window's rows up to the chunk's last.</summary>
    AttentionBackward,

    /// <summary>Attention against one segment of the window: updates what is carried from segment to segment.</summary>
    AttentionSegmentForward,

    /// <summary>Output and logsumexp from what was carried over all segments.</summary>
    AttentionNormalize,

    /// <summary>Attention's backward against one segment: its dK and dV, and its part of dQ, which is carried in fp32.</summary>
    AttentionSegmentBackward,

    /// <summary>dQ from what was carried over all segments, rounded from fp32.</summary>
    AttentionRounding,

    /// <summary>ffn [T, F] = silu(gate) up, of gate|up [T, 2 F].</summary>
    SwiGluForward,

    /// <summary>In place: the gradient of ffn becomes ffn, gate|up become their gradients.</summary>
    SwiGluBackward,

    /// <summary>The loss of a sub-chunk, and the gradient of its logits [head tokens, vocabulary].</summary>
    CrossEntropy,

    /// <summary>Folds the logits of a block of the vocabulary into the statistics of their rows.</summary>
    CrossEntropyStatistics,

    /// <summary>The loss from statistics over the whole vocabulary.</summary>
    CrossEntropyLoss,

    /// <summary>The gradient of a block's logits from statistics over the whole vocabulary.</summary>
    CrossEntropyGradient,

    /// <summary>The optimizer's update of a run of a parameter object's elements.</summary>
    AdamW,

    /// <summary>Sum of squares of a gradient, for the global norm.</summary>
    SquaredSum,

    /// <summary>Sets bytes to zero.</summary>
    Zero,
}

/// <summary>
/// The tensors that block programs name. T tokens of a chunk, D model width, q = heads x head_dim, kv = KV heads x head_dim.
/// </summary>
public enum TensorName
{
    /// <summary>A weight; which one is in <see cref="Operand.Weight"/>.</summary>
    Weight,

    /// <summary>The gradient of a weight.</summary>
    WeightGradient,

    /// <summary>[T] int32 token ids.</summary>
    Ids,

    /// <summary>[T] int32, -1 where a target is not counted.</summary>
    Targets,

    /// <summary>[T] int32, window row of the first token that this one attends to (its document's first); never decreases.</summary>
    FirstKey,

    /// <summary>[T] int32, token indices sorted by id.</summary>
    Order,

    /// <summary>[T, D] residual stream at the block's entry.</summary>
    Input,

    /// <summary>[T, D] normed input.</summary>
    Norm1,

    /// <summary>[T] fp32 reciprocal root mean square.</summary>
    Rstd1,

    /// <summary>[T, q + 2 kv] raw projections.</summary>
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

    /// <summary>[T, 2 F]; SwiGluBackward replaces it by its gradient.</summary>
    GateUp,

    /// <summary>[T, F].</summary>
    Ffn,

    /// <summary>[T, D] residual stream at the next block's entry.</summary>
    Output,

    /// <summary>[T, D] gradient of the residual stream, updated in place from block to block.</summary>
    GradStream,

    /// <summary>[T, F] gradient of Ffn; SwiGluBackward replaces it by Ffn itself.</summary>
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

    /// <summary>[T, q + 2 kv].</summary>
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
}

/// <summary>A tensor as a kernel call names it.</summary>
public readonly record struct Operand(TensorName Tensor, WeightName Weight = default)
{
    /// <summary>A tensor that is no weight and no weight's gradient.</summary>
    public static implicit operator Operand(TensorName tensor) => new(tensor);

    /// <summary>The weight of that name.</summary>
    public static Operand W(WeightName name) => new(TensorName.Weight, name);

    /// <summary>The gradient of the weight of that name.</summary>
    public static Operand G(WeightName name) => new(TensorName.WeightGradient, name);
}

/// <summary>
/// One kernel of a block program. Writes are overwritten without being read; Updates are read and replaced in place. Weight gradients
/// are always listed as updates: whether the first contribution overwrites them is said by the op's access to its gradient operand.
/// </summary>
public sealed record KernelCall(
    Kernel Kernel,
    ImmutableArray<Operand> Reads,
    ImmutableArray<Operand> Writes,
    ImmutableArray<Operand> Updates
)
{
    /// <summary>All operands.</summary>
    public IEnumerable<Operand> Operands => Reads.Concat(Writes).Concat(Updates);
}
