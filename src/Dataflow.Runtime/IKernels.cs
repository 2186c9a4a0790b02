using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// The kernels of the catalog on one device, in the order of one of its streams. A call may return before the kernel has run; kernels
/// of one stream run in order. A workspace holds what <see cref="KernelWorkspace"/> says of that kernel. Shapes and roundings are those of
/// <see cref="Kernel"/>: the same on every device.
/// </summary>
public interface IKernels
{
    /// <summary>Copies bytes between or within arenas.</summary>
    void Copy(nuint from, nuint to, Bytes length);

    /// <summary>Sets bytes to zero.</summary>
    void Zero(nuint at, Bytes length);

    /// <summary>x [T, D] = rows of the table [V, D].</summary>
    void EmbeddingForward(nuint ids, Tensor table, Tensor x);

    /// <summary>
    /// Adds rows of dx [T, D] to rows of the table's gradient; order: tokens sorted by id, then -1 for those that do not count.
    /// </summary>
    void EmbeddingBackward(nuint ids, nuint order, Tensor dx, Tensor dTable);

    /// <summary>
    /// The rows of x whose ids lie in a block of the table, which starts at that id; the others become zero, or stay as they are.
    /// </summary>
    void EmbeddingBlockForward(nuint ids, Tensor block, int firstId, Tensor x, bool zeroOthers);

    /// <summary>As the backward of the whole, for the ids of a block.</summary>
    void EmbeddingBlockBackward(nuint ids, nuint order, int firstId, Tensor dx, Tensor dBlock);

    /// <summary>y = x rstd w, rstd [T] fp32 = 1 / sqrt(mean(x^2) + epsilon).</summary>
    void RmsNormForward(Tensor x, Tensor weight, float epsilon, Tensor y, nuint rstd);

    /// <summary>dx = its gradient + addend; dw (+)= its gradient, summed over tokens.</summary>
    void RmsNormBackward(
        Tensor dy,
        Tensor x,
        nuint rstd,
        Tensor weight,
        Tensor dx,
        Tensor? addend,
        Tensor dWeight,
        bool accumulate,
        nuint workspace
    );

    /// <summary>c = op(a) op(b) + addend; the addend may be c itself.</summary>
    void Gemm(Tensor a, Transpose ta, Tensor b, Transpose tb, Tensor c, Tensor? addend);

    /// <summary>
    /// Queries and this chunk's rows of the window from raw projections: norms (if any), then rotation. A null output is left out.
    /// </summary>
    void QkNormRopeForward(
        Tensor qkv,
        Tensor? qNorm,
        Tensor? kNorm,
        float epsilon,
        ChunkContext at,
        double theta,
        HeadShape heads,
        Tensor? q,
        Tensor? kv
    );

    /// <summary>Gradient of the raw projections from those of queries and (fp32) keys and values.</summary>
    void QkNormRopeBackward(
        Tensor dq, Tensor dkv, Tensor? qkv, Tensor? qNorm, Tensor? kNorm, float epsilon, ChunkContext at, double theta, HeadShape heads,
        Tensor dqkv, Tensor? dqNorm, Tensor? dkNorm, bool accumulate, nuint workspace);

    /// <summary>o [T, q] and lse [heads, T] fp32 of causal attention within documents, over the window.</summary>
    void AttentionForward(Tensor q, WindowRows keys, ChunkContext at, HeadShape heads, Tensor o, nuint lse);

    /// <summary>dq, and dkv (+)= over the window's rows up to this chunk's last.</summary>
    void AttentionBackward(
        Tensor q,
        WindowRows keys,
        ChunkContext at,
        HeadShape heads,
        Tensor o,
        nuint lse,
        Tensor dO,
        Tensor dq,
        Tensor dkv,
        bool accumulate,
        nuint workspace
    );

    /// <summary>
    /// Attention against one segment of the window, segments ascending: fp32 sums [T, q] of the output, running maxima and totals of
    /// exponentials [heads, T], overwritten or, where it continues, updated.
    /// </summary>
    void AttentionSegmentForward(
        Tensor q,
        WindowRows keys,
        ChunkContext at,
        HeadShape heads,
        nuint sums,
        nuint maxima,
        nuint totals,
        bool continues
    );

    /// <summary>o and lse from what was carried over all segments.</summary>
    void AttentionNormalize(nuint sums, nuint maxima, nuint totals, HeadShape heads, Tensor o, nuint lse);

    /// <summary>dkv (+)= of one segment's rows, and its part of dq, carried over segments as fp32 sums [T, q].</summary>
    void AttentionSegmentBackward(
        Tensor q,
        WindowRows keys,
        ChunkContext at,
        HeadShape heads,
        Tensor o,
        nuint lse,
        Tensor dO,
        nuint dqSums,
        bool continues,
        Tensor dkv,
        bool accumulate
    );

    /// <summary>dq from what was carried over all segments.</summary>
    void AttentionRounding(nuint dqSums, HeadShape heads, Tensor dq);

    /// <summary>ffn [T, F] = silu(gate) up.</summary>
    void SwiGluForward(Tensor gateUp, Tensor ffn);

    /// <summary>In place: dffn becomes ffn, gate and up become their gradients.</summary>
    void SwiGluBackward(Tensor dffn, Tensor gateUp);

    /// <summary>dlogits = (softmax - onehot) x the step's loss scale; loss (+)= the sum of the counted tokens' losses, scaled.</summary>
    void CrossEntropy(Tensor logits, nuint targets, Tensor dlogits, nuint loss, bool accumulate, nuint workspace);

    /// <summary>
    /// Logits of a block of the vocabulary into their rows' statistics, three fp32 arrays <paramref name="stride"/> apart: largest logit,
    /// sum of exponentials under it, the target's logit. Overwritten by the first block, folded into by the others.
    /// </summary>
    void CrossEntropyStatistics(Tensor logits, nuint targets, int firstId, nuint statistics, int stride, bool fold);

    /// <summary>loss = the sum of the counted rows' losses, from statistics over the whole vocabulary.</summary>
    void CrossEntropyLoss(nuint targets, int rows, nuint statistics, int stride, nuint loss);

    /// <summary>A block's columns of the gradient that <see cref="CrossEntropy"/> gives.</summary>
    void CrossEntropyGradient(Tensor logits, nuint targets, int firstId, nuint statistics, int stride, Tensor dlogits);

    /// <summary>One fp64: the sum of squares of a parameter object's gradient; what lies between its tensors is not looked at.</summary>
    void SquaredSum(nuint gradient, DType type, ParameterLayout layout, nuint sum, nuint workspace);

    /// <summary>
    /// The step's update of a run of elements; norms: the sums of squares (fp64) from which the gradients' global norm follows, none where
    /// it is not clipped.
    /// </summary>
    void AdamW(in UpdateRange range, Recipe recipe, nuint norms, int normCount);
}
