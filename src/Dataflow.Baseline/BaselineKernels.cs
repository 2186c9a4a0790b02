using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Baseline;

/// <summary>
/// The published system's kernels: separate products for Q, K and V and for gate and up, norms and activations unfused, device copies of
/// x, K and V, whole chunks in the head with logits and probabilities in bf16, weight gradients added up in bf16. Bytes count every operand
/// once.
/// </summary>
internal sealed class BaselineKernels(BaselinePlan plan)
{
    private readonly ModelConfig model = plan.Request.Model;
    private readonly double t = plan.Chunking.ChunkTokens;
    private readonly double d = plan.Request.Model.ModelDim;
    private readonly double kv = plan.Request.Model.KvDim;
    private readonly double f = plan.Request.Model.FfnDim;
    private readonly double v = plan.Request.Model.VocabSize;

    /// <summary>The work of an op's kernels; copies have none.</summary>
    public ImmutableArray<KernelWork> Of(ScheduledOp op) =>
        op.Kind switch
        {
            OpKind.Embed => [Memory(2 * d)],
            OpKind.Forward =>
            [
                Memory(2 * d),
                .. Attention(op.Chunk!.Value),
                .. AttentionForward(op.Chunk!.Value),
                Gemm(d, d, d),
                .. Ffn(),
                Memory(3 * f),
                Gemm(d, f, 2 * d),
            ],
            OpKind.Head =>
            [
                Memory(2 * d),
                Gemm(v, d),
                Memory(5 * v), // softmax reads logits, writes probabilities; the label's row entry apart
                Gemm(d, v),
                WeightGradient(v, d),
                Memory(4 * d),
            ],
            OpKind.Recompute =>
            [
                Memory(2 * d),
                Gemm(d, d),
                Memory(2 * d),
                .. op.Saved.HasFlag(SaveSet.Attention) ? ImmutableArray<KernelWork>.Empty : AttentionForward(op.Chunk!.Value),
                Gemm(d, d, d),
                .. Ffn(),
            ],
            OpKind.Backward when op.Piece == BaselineLowering.WeightGradients =>
            [
                WeightGradient(d, f),
                WeightGradient(f, d),
                WeightGradient(f, d),
                WeightGradient(d, d),
                WeightGradient(d, d),
                WeightGradient(kv, d),
                WeightGradient(kv, d),
            ],
            OpKind.Backward =>
            [
                Gemm(f, d),
                Memory(6 * f),
                Gemm(d, f),
                Gemm(d, f, d),
                Memory(6 * d),
                Gemm(d, d),
                KernelWork.Attention(forward: false, plan.Geometry.AttendedPairs(op.Chunk!.Value), t, model.QueryDim, model.HeadDim),
                Memory(2 * (d + kv)),
                Gemm(d, d),
                Gemm(d, kv, d),
                Gemm(d, kv, d),
                Memory(6 * d),
            ],
            OpKind.EmbedBackward => [Memory(3 * d)],
            // W, G and both moments are read, all but G written.
            OpKind.Update => [KernelWork.Memory(7.0 * op.Accesses[0].Length.Value)],
            _ => [],
        };

    private ImmutableArray<KernelWork> Attention(Chunk c) => [Memory(2 * d), Gemm(d, d), Gemm(kv, d), Gemm(kv, d), Memory(2 * (d + kv))];

    private ImmutableArray<KernelWork> AttentionForward(Chunk c) =>
        [KernelWork.Attention(forward: true, plan.Geometry.AttendedPairs(c), t, model.QueryDim, model.HeadDim)];

    private ImmutableArray<KernelWork> Ffn() => [Memory(2 * d), Gemm(f, d), Gemm(f, d)];

    /// <summary>Of so many elements a token.</summary>
    private KernelWork Memory(double elements) => KernelWork.Memory(2 * t * elements);

    /// <summary>[T, depth] by [depth, columns]; an addend of so many elements a token is read besides.</summary>
    private KernelWork Gemm(double columns, double depth, double addend = 0) =>
        KernelWork.Gemm(t, columns, depth, 2 * ((t * (depth + columns + addend)) + (depth * columns)));

    private KernelWork WeightGradient(double rows, double columns) =>
        KernelWork.Gemm(rows, columns, t, 2 * ((t * (rows + columns)) + (2 * rows * columns)));
}
