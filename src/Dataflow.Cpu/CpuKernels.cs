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
    public void EmbeddingForward(in EmbeddingForwardArguments call) => Embedding.Forward(team, (int*)call.Ids, At(call.Table), At(call.X));

    /// <inheritdoc/>
    public void EmbeddingBackward(in EmbeddingBackwardArguments call) =>
        Embedding.Backward(team, (int*)call.Ids, (int*)call.Order, call.GradX.Rows, At(call.GradX), At(call.GradTable));

    /// <inheritdoc/>
    public void EmbeddingBlockForward(in EmbeddingBlockForwardArguments call) =>
        Embedding.ForwardBlock(team, (int*)call.Ids, At(call.Block), call.FirstId, At(call.X), call.ZeroOthers);

    /// <inheritdoc/>
    public void EmbeddingBlockBackward(in EmbeddingBlockBackwardArguments call) =>
        Embedding.BackwardBlock(team, (int*)call.Ids, (int*)call.Order, call.GradX.Rows, call.FirstId, At(call.GradX), At(call.GradBlock));

    /// <inheritdoc/>
    public void RmsNormForward(in RmsNormForwardArguments call) =>
        RmsNorm.Forward(team, At(call.X), At(call.Weight), call.Epsilon, At(call.Y), (float*)call.Rstd);

    /// <inheritdoc/>
    public void RmsNormBackward(in RmsNormBackwardArguments call) =>
        RmsNorm.Backward(
            team,
            At(call.GradY),
            At(call.X),
            (float*)call.Rstd,
            At(call.Weight),
            At(call.GradX),
            At(call.Addend),
            At(call.GradWeight),
            call.Accumulate
        );

    /// <inheritdoc/>
    public void Gemm(in GemmArguments call) =>
        Kernels.Gemm.Run(team, At(call.A), call.TransposeA, At(call.B), call.TransposeB, At(call.C), At(call.Addend));

    /// <inheritdoc/>
    public void QkNormRopeForward(in QkNormRopeForwardArguments call) =>
        QkNormRope.Forward(
            team,
            At(call.Qkv),
            At(call.QueryNorm),
            At(call.KeyNorm),
            call.Epsilon,
            (int*)call.At.FirstKey,
            call.At.Row,
            call.Theta,
            call.Heads.Heads,
            call.Heads.KvHeads,
            call.Heads.HeadDim,
            At(call.Query),
            At(call.KeyValue)
        );

    /// <inheritdoc/>
    public void QkNormRopeBackward(in QkNormRopeBackwardArguments call) =>
        QkNormRope.Backward(
            team,
            At(call.GradQuery),
            At(call.GradKeyValue),
            At(call.Qkv),
            At(call.QueryNorm),
            At(call.KeyNorm),
            call.Epsilon,
            (int*)call.At.FirstKey,
            call.At.Row,
            call.Theta,
            call.Heads.Heads,
            call.Heads.KvHeads,
            call.Heads.HeadDim,
            At(call.GradQkv),
            At(call.GradQueryNorm),
            At(call.GradKeyNorm),
            call.Accumulate
        );

    /// <inheritdoc/>
    public void AttentionForward(in AttentionForwardArguments call) =>
        Attention.Forward(
            team,
            At(call.Query),
            At(call.Keys),
            (int*)call.At.FirstKey,
            call.At.Row,
            call.Heads.Heads,
            call.Heads.KvHeads,
            call.Heads.HeadDim,
            At(call.Output),
            (float*)call.Lse
        );

    /// <inheritdoc/>
    public void AttentionBackward(in AttentionBackwardArguments call) =>
        Attention.Backward(
            team,
            At(call.Query),
            At(call.Keys),
            (int*)call.At.FirstKey,
            call.At.Row,
            call.Heads.Heads,
            call.Heads.KvHeads,
            call.Heads.HeadDim,
            At(call.Output),
            (float*)call.Lse,
            At(call.GradOutput),
            At(call.GradQuery),
            At(call.GradKeyValue),
            call.Accumulate
        );

    /// <inheritdoc/>
    public void AttentionSegmentForward(in AttentionSegmentForwardArguments call) =>
        Attention.ForwardSegment(
            team,
            At(call.Query),
            At(call.Keys),
            (int*)call.At.FirstKey,
            call.At.Row,
            call.Heads.Heads,
            call.Heads.KvHeads,
            call.Heads.HeadDim,
            Sums(call.Sums, call.Query),
            (float*)call.Maxima,
            (float*)call.Totals,
            call.Continues
        );

    /// <inheritdoc/>
    public void AttentionNormalize(in AttentionNormalizeArguments call) =>
        Attention.Normalize(
            team,
            Sums(call.Sums, call.Output),
            (float*)call.Maxima,
            (float*)call.Totals,
            call.Heads.Heads,
            call.Heads.HeadDim,
            At(call.Output),
            (float*)call.Lse
        );

    /// <inheritdoc/>
    public void AttentionSegmentBackward(in AttentionSegmentBackwardArguments call) =>
        Attention.BackwardSegment(
            team,
            At(call.Query),
            At(call.Keys),
            (int*)call.At.FirstKey,
            call.At.Row,
            call.Heads.Heads,
            call.Heads.KvHeads,
            call.Heads.HeadDim,
            At(call.Output),
            (float*)call.Lse,
            At(call.GradOutput),
            Sums(call.GradQuerySums, call.Query),
            call.Continues,
            At(call.GradKeyValue),
            call.Accumulate
        );

    /// <inheritdoc/>
    public void AttentionRounding(in AttentionRoundingArguments call) =>
        Fill.Round(team, Sums(call.GradQuerySums, call.GradQuery), At(call.GradQuery));

    /// <inheritdoc/>
    public void SwiGluForward(in SwiGluForwardArguments call) => SwiGlu.Forward(team, At(call.GateUp), At(call.Ffn));

    /// <inheritdoc/>
    public void SwiGluBackward(in SwiGluBackwardArguments call) => SwiGlu.Backward(team, At(call.GradFfn), At(call.GateUp));

    /// <inheritdoc/>
    public void CrossEntropy(in CrossEntropyArguments call) =>
        Kernels.CrossEntropy.Run(
            team,
            At(call.Logits),
            (int*)call.Targets,
            Arguments.LossScale,
            At(call.GradLogits),
            (float*)call.Loss,
            call.Accumulate
        );

    /// <inheritdoc/>
    public void CrossEntropyStatistics(in CrossEntropyStatisticsArguments call) =>
        Kernels.CrossEntropy.Statistics(
            team,
            At(call.Logits),
            (int*)call.Targets,
            call.FirstId,
            (float*)call.Statistics,
            call.Stride,
            call.Fold
        );

    /// <inheritdoc/>
    public void CrossEntropyLoss(in CrossEntropyLossArguments call) =>
        Kernels.CrossEntropy.Loss(team, (int*)call.Targets, call.Rows, (float*)call.Statistics, call.Stride, (float*)call.Loss);

    /// <inheritdoc/>
    public void CrossEntropyGradient(in CrossEntropyGradientArguments call) =>
        Kernels.CrossEntropy.Gradient(
            team,
            At(call.Logits),
            (int*)call.Targets,
            call.FirstId,
            (float*)call.Statistics,
            call.Stride,
            Arguments.LossScale,
            At(call.GradLogits)
        );

    /// <inheritdoc/>
    public void SquaredSum(in SquaredSumArguments call)
    {
        double total = 0;
        foreach (var tensor in call.Layout.Tensors)
        {
            total += Kernels.SquaredSum.Run(
                team,
                (byte*)call.Gradient + (tensor.ElementOffset * call.Type.Size()),
                call.Type,
                tensor.Count
            );
        }

        *(double*)call.Sum = total;
    }

    /// <inheritdoc/>
    public void AdamW(in AdamWArguments call) =>
        Kernels.AdamW.Run(
            team,
            Arguments.Optimizer,
            Arguments.Step,
            decay: true,
            (byte*)call.Range.Weights,
            call.Recipe.Parameters,
            (byte*)call.Range.Gradient,
            call.Recipe.Gradients,
            (byte*)call.Range.FirstMoment,
            (byte*)call.Range.SecondMoment,
            call.Recipe.Moments,
            call.Range.Count,
            ClipScale((double*)call.Norms, call.NormCount),
            (byte*)call.Range.Master,
            call.Recipe.RoundsStochastically
                ? new StochasticRounding(Arguments.Seed, Arguments.Step, call.Range.Object, call.Range.FirstElement)
                : null
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
