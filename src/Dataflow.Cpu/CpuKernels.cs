using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu;

/// <summary>The catalog on the CPU: every call runs to completion, on the calling thread and its team.</summary>
internal sealed unsafe class CpuKernels(ThreadTeam team) : IKernels
{
    /// <summary>Of the step that runs.</summary>
    public StepArguments Arguments { get; set; }

    /// <inheritdoc/>
    public void Copy(nuint from, nuint to, Bytes length) => Buffer.MemoryCopy((void*)from, (void*)to, length.Value, length.Value);

    /// <inheritdoc/>
    public void Zero(nuint at, Bytes length) => Fill.Zero(team, (byte*)at, length.Value);

    /// <inheritdoc/>
    public void EmbeddingForward(nuint ids, Tensor table, Tensor x) => Embedding.Forward(team, (int*)ids, At(table), At(x));

    /// <inheritdoc/>
    public void EmbeddingBackward(nuint ids, nuint order, Tensor dx, Tensor dTable) =>
        Embedding.Backward(team, (int*)ids, (int*)order, dx.Rows, At(dx), At(dTable));

    /// <inheritdoc/>
    public void EmbeddingBlockForward(nuint ids, Tensor block, int firstId, Tensor x, bool zeroOthers) =>
        Embedding.ForwardBlock(team, (int*)ids, At(block), firstId, At(x), zeroOthers);

    /// <inheritdoc/>
    public void EmbeddingBlockBackward(nuint ids, nuint order, int firstId, Tensor dx, Tensor dBlock) =>
        Embedding.BackwardBlock(team, (int*)ids, (int*)order, dx.Rows, firstId, At(dx), At(dBlock));

    /// <inheritdoc/>
    public void RmsNormForward(Tensor x, Tensor weight, float epsilon, Tensor y, nuint rstd) =>
        RmsNorm.Forward(team, At(x), At(weight), epsilon, At(y), (float*)rstd);

    /// <inheritdoc/>
    public void RmsNormBackward(
        Tensor dy,
        Tensor x,
        nuint rstd,
        Tensor weight,
        Tensor dx,
        Tensor? addend,
        Tensor dWeight,
        bool accumulate,
        nuint workspace
    ) => RmsNorm.Backward(team, At(dy), At(x), (float*)rstd, At(weight), At(dx), At(addend), At(dWeight), accumulate);

    /// <inheritdoc/>
    public void Gemm(Tensor a, Transpose ta, Tensor b, Transpose tb, Tensor c, Tensor? addend) =>
        Kernels.Gemm.Run(team, At(a), ta, At(b), tb, At(c), At(addend));

    /// <inheritdoc/>
    public void QkNormRopeForward(
        Tensor qkv,
        Tensor? qNorm,
        Tensor? kNorm,
        float epsilon,
        ChunkContext at,
        double theta,
        HeadShape heads,
        Tensor? q,
        Tensor? kv
    ) =>
        QkNormRope.Forward(
            team,
            At(qkv),
            At(qNorm),
            At(kNorm),
            epsilon,
            (int*)at.FirstKey,
            at.Row,
            theta,
            heads.Heads,
            heads.KvHeads,
            heads.HeadDim,
            At(q),
            At(kv)
        );

    /// <inheritdoc/>
    public void QkNormRopeBackward(
        Tensor dq, Tensor dkv, Tensor? qkv, Tensor? qNorm, Tensor? kNorm, float epsilon, ChunkContext at, double theta, HeadShape heads,
        Tensor dqkv, Tensor? dqNorm, Tensor? dkNorm, bool accumulate, nuint workspace) =>
        QkNormRope.Backward(team, At(dq), At(dkv), At(qkv), At(qNorm), At(kNorm), epsilon, (int*)at.FirstKey, at.Row, theta,
            heads.Heads, heads.KvHeads, heads.HeadDim, At(dqkv), At(dqNorm), At(dkNorm), accumulate);

    /// <inheritdoc/>
    public void AttentionForward(Tensor q, WindowRows keys, ChunkContext at, HeadShape heads, Tensor o, nuint lse) =>
        Attention.Forward(team, At(q), At(keys), (int*)at.FirstKey, at.Row, heads.Heads, heads.KvHeads, heads.HeadDim, At(o), (float*)lse);

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
    ) =>
        Attention.Backward(
            team,
            At(q),
            At(keys),
            (int*)at.FirstKey,
            at.Row,
            heads.Heads,
            heads.KvHeads,
            heads.HeadDim,
            At(o),
            (float*)lse,
            At(dO),
            At(dq),
            At(dkv),
            accumulate
        );

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
    ) =>
        Attention.ForwardSegment(
            team,
            At(q),
            At(keys),
            (int*)at.FirstKey,
            at.Row,
            heads.Heads,
            heads.KvHeads,
            heads.HeadDim,
            Sums(sums, q),
            (float*)maxima,
            (float*)totals,
            continues
        );

    /// <inheritdoc/>
    public void AttentionNormalize(nuint sums, nuint maxima, nuint totals, HeadShape heads, Tensor o, nuint lse) =>
        Attention.Normalize(team, Sums(sums, o), (float*)maxima, (float*)totals, heads.Heads, heads.HeadDim, At(o), (float*)lse);

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
    ) =>
        Attention.BackwardSegment(
            team,
            At(q),
            At(keys),
            (int*)at.FirstKey,
            at.Row,
            heads.Heads,
            heads.KvHeads,
            heads.HeadDim,
            At(o),
            (float*)lse,
            At(dO),
            Sums(dqSums, q),
            continues,
            At(dkv),
            accumulate
        );

    /// <inheritdoc/>
    public void AttentionRounding(nuint dqSums, HeadShape heads, Tensor dq) => Fill.Round(team, Sums(dqSums, dq), At(dq));

    /// <inheritdoc/>
    public void SwiGluForward(Tensor gateUp, Tensor ffn) => SwiGlu.Forward(team, At(gateUp), At(ffn));

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor dffn, Tensor gateUp) => SwiGlu.Backward(team, At(dffn), At(gateUp));

    /// <inheritdoc/>
    public void CrossEntropy(Tensor logits, nuint targets, Tensor dlogits, nuint loss, bool accumulate, nuint workspace) =>
        Kernels.CrossEntropy.Run(team, At(logits), (int*)targets, Arguments.LossScale, At(dlogits), (float*)loss, accumulate);

    /// <inheritdoc/>
    public void CrossEntropyStatistics(Tensor logits, nuint targets, int firstId, nuint statistics, int stride, bool fold) =>
        Kernels.CrossEntropy.Statistics(team, At(logits), (int*)targets, firstId, (float*)statistics, stride, fold);

    /// <inheritdoc/>
    public void CrossEntropyLoss(nuint targets, int rows, nuint statistics, int stride, nuint loss) =>
        Kernels.CrossEntropy.Loss(team, (int*)targets, rows, (float*)statistics, stride, (float*)loss);

    /// <inheritdoc/>
    public void CrossEntropyGradient(Tensor logits, nuint targets, int firstId, nuint statistics, int stride, Tensor dlogits) =>
        Kernels.CrossEntropy.Gradient(
            team,
            At(logits),
            (int*)targets,
            firstId,
            (float*)statistics,
            stride,
            Arguments.LossScale,
            At(dlogits)
        );

    /// <inheritdoc/>
    public void SquaredSum(nuint gradient, DType type, ParameterLayout layout, nuint sum, nuint workspace)
    {
        double total = 0;
        foreach (var tensor in layout.Tensors)
        {
            total += Kernels.SquaredSum.Run(team, (byte*)gradient + (tensor.ElementOffset * type.Size()), type, tensor.Count);
        }

        *(double*)sum = total;
    }

    /// <inheritdoc/>
    public void AdamW(in UpdateRange range, Recipe recipe, nuint norms, int normCount) =>
        Kernels.AdamW.Run(
            team,
            Arguments.Optimizer,
            Arguments.Step,
            decay: true,
            (byte*)range.Weights,
            recipe.Parameters,
            (byte*)range.Gradient,
            recipe.Gradients,
            (byte*)range.FirstMoment,
            (byte*)range.SecondMoment,
            recipe.Moments,
            range.Count,
            ClipScale((double*)norms, normCount),
            (byte*)range.Master,
            recipe.RoundsStochastically ? new StochasticRounding(Arguments.Seed, Arguments.Step, range.Object, range.FirstElement) : null
        );

    /// <summary>min(1, clip / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ has it; 1 where there are no norms.</summary>
    private float ClipScale(double* norms, int count)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            sum += norms[i];
        }

        return count == 0 ? 1 : (float)Math.Min(1, Arguments.ClipNorm / (Math.Sqrt(sum) + 1e-6));
    }

    private static Matrix At(in Tensor tensor) => new((void*)tensor.Address, tensor.Type, tensor.Rows, tensor.Columns);

    /// <summary>fp32 sums of the shape of another tensor.</summary>
    private static Matrix Sums(nuint address, in Tensor like) => new((void*)address, DType.Float32, like.Rows, like.Columns);

    private static KeyRows At(in WindowRows rows) => new(At(rows.Kv), rows.FirstRow, rows.PieceRows);

    private static Matrix? At(in Tensor? tensor) => tensor is { } some ? At(some) : null;
}
