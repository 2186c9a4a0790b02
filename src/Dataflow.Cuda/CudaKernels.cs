using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda;

/// <summary>What the streams of a device share: its kernels, each loaded once, and the step's arguments in device memory.</summary>
internal sealed class KernelSet(KernelLibrary library, Gemm gemm, Attention attention, DevicePointer step)
{
    private readonly ColumnSum columnSum = new(library);

    public DevicePointer Step => step;

    public Gemm Gemm => gemm;

    public Attention Attention => attention;

    public Embedding Embedding { get; } = new(library);

    public SwiGlu SwiGlu { get; } = new(library);

    public CrossEntropy CrossEntropy { get; } = new(library);

    public AdamW AdamW { get; } = new(library);

    public SquaredSum SquaredSum { get; } = new(library);

    public RmsNorm RmsNorm => field ??= new(library, columnSum);

    public QkNormRope QkNormRope => field ??= new(library, columnSum);
}

/// <summary>The catalog on one stream of a GPU: every call appends launches and returns.</summary>
internal sealed class CudaKernels(CudaStream stream, CudaArenas arenas, KernelSet kernels) : IKernels
{
    /// <inheritdoc/>
    public void Copy(nuint from, nuint to, Bytes length) => arenas.Copy(stream, from, to, length);

    /// <inheritdoc/>
    public void Zero(nuint at, Bytes length) => stream.Fill(new DevicePointer(at), 0, length);

    /// <inheritdoc/>
    public void EmbeddingForward(nuint ids, Tensor table, Tensor x) => kernels.Embedding.Forward(stream, ids, table, x);

    /// <inheritdoc/>
    public void EmbeddingBackward(nuint ids, nuint order, Tensor dx, Tensor dTable) =>
        kernels.Embedding.Backward(stream, ids, order, dx, dTable);

    /// <inheritdoc/>
    public void EmbeddingBlockForward(nuint ids, Tensor block, int firstId, Tensor x, bool zeroOthers) =>
        kernels.Embedding.ForwardBlock(stream, ids, block, firstId, x, zeroOthers);

    /// <inheritdoc/>
    public void EmbeddingBlockBackward(nuint ids, nuint order, int firstId, Tensor dx, Tensor dBlock) =>
        kernels.Embedding.BackwardBlock(stream, ids, order, firstId, dx, dBlock);

    /// <inheritdoc/>
    public void RmsNormForward(Tensor x, Tensor weight, float epsilon, Tensor y, nuint rstd) =>
        kernels.RmsNorm.Forward(stream, x, weight, epsilon, y, rstd);

    /// <inheritdoc/>
    public void RmsNormBackward(
        Tensor dy, Tensor x, nuint rstd, Tensor weight, Tensor dx, Tensor? addend, Tensor dWeight, bool accumulate, nuint workspace) =>
        kernels.RmsNorm.Backward(stream, dy, x, rstd, weight, dx, addend, dWeight, accumulate, workspace);

    /// <inheritdoc/>
    public void Gemm(Tensor a, Transpose ta, Tensor b, Transpose tb, Tensor c, Tensor? addend) =>
        kernels.Gemm.Run(stream, a, ta, b, tb, c, addend);

    /// <inheritdoc/>
    public void QkNormRopeForward(
        Tensor qkv, Tensor? qNorm, Tensor? kNorm, float epsilon, ChunkContext at, double theta, HeadShape heads, Tensor? q, Tensor? kv) =>
        kernels.QkNormRope.Forward(stream, qkv, qNorm, kNorm, epsilon, at, theta, heads, q, kv);

    /// <inheritdoc/>
    public void QkNormRopeBackward(
        Tensor dq,
        Tensor dkv,
        Tensor? qkv,
        Tensor? qNorm,
        Tensor? kNorm,
        float epsilon,
        ChunkContext at,
        double theta,
        HeadShape heads,
        Tensor dqkv,
        Tensor? dqNorm,
        Tensor? dkNorm,
        bool accumulate,
        nuint workspace
    ) =>
        kernels.QkNormRope.Backward(
            stream,
            dq,
            dkv,
            qkv,
            qNorm,
            kNorm,
            epsilon,
            at,
            theta,
            heads,
            dqkv,
            dqNorm,
            dkNorm,
            accumulate,
            workspace
        );

    /// <inheritdoc/>
    public void AttentionForward(Tensor q, WindowRows keys, ChunkContext at, HeadShape heads, Tensor o, nuint lse) =>
        kernels.Attention.Forward(stream, q, keys, at, heads, o, lse);

    /// <inheritdoc/>
    public void AttentionBackward(
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
    ) => kernels.Attention.Backward(stream, q, keys, at, heads, o, lse, dO, dq, dkv, accumulate, workspace);

    /// <inheritdoc/>
    public void AttentionSegmentForward(
        Tensor q,
        WindowRows keys,
        ChunkContext at,
        HeadShape heads,
        nuint sums,
        nuint maxima,
        nuint totals,
        bool continues
    ) => kernels.Attention.ForwardSegment(stream, q, keys, at, heads, sums, continues);

    /// <inheritdoc/>
    public void AttentionNormalize(nuint sums, nuint maxima, nuint totals, HeadShape heads, Tensor o, nuint lse) =>
        kernels.Attention.Normalize(stream, sums, heads, o, lse);

    /// <inheritdoc/>
    public void AttentionSegmentBackward(
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
    ) => kernels.Attention.BackwardSegment(stream, q, keys, at, heads, o, lse, dO, dqSums, continues, dkv, accumulate);

    /// <inheritdoc/>
    public void AttentionRounding(nuint dqSums, HeadShape heads, Tensor dq) => kernels.Attention.Finish(stream, dqSums, heads, dq);

    /// <inheritdoc/>
    public void SwiGluForward(Tensor gateUp, Tensor ffn) => kernels.SwiGlu.Forward(stream, gateUp, ffn);

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor dffn, Tensor gateUp) => kernels.SwiGlu.Backward(stream, dffn, gateUp);

    /// <inheritdoc/>
    public void CrossEntropy(Tensor logits, nuint targets, Tensor dlogits, nuint loss, bool accumulate, nuint workspace) =>
        kernels.CrossEntropy.Run(stream, logits, targets, kernels.Step, dlogits, loss, accumulate, workspace);

    /// <inheritdoc/>
    public void CrossEntropyStatistics(Tensor logits, nuint targets, int firstId, nuint statistics, int stride, bool fold) =>
        kernels.CrossEntropy.Statistics(stream, logits, targets, firstId, statistics, stride, fold);

    /// <inheritdoc/>
    public void CrossEntropyLoss(nuint targets, int rows, nuint statistics, int stride, nuint loss) =>
        kernels.CrossEntropy.Loss(stream, targets, rows, statistics, stride, loss);

    /// <inheritdoc/>
    public void CrossEntropyGradient(Tensor logits, nuint targets, int firstId, nuint statistics, int stride, Tensor dlogits) =>
        kernels.CrossEntropy.Gradient(stream, logits, targets, kernels.Step, firstId, statistics, stride, dlogits);

    /// <inheritdoc/>
    public void SquaredSum(nuint gradient, DType type, ParameterLayout layout, nuint sum, nuint workspace) =>
        kernels.SquaredSum.Run(stream, gradient, type, layout, sum, workspace);

    /// <inheritdoc/>
    public void AdamW(in UpdateRange range, Recipe recipe, nuint norms, int normCount) =>
        kernels.AdamW.Run(stream, range, recipe, norms, normCount, kernels.Step);
}
