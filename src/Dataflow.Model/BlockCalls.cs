using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>The calls of a block's pass, cut at attention; those of attention itself are run once for each segment.</summary>
internal sealed record StreamedCalls(
    ImmutableArray<KernelCall> Before,
    ImmutableArray<KernelCall> Attention,
    ImmutableArray<KernelCall> After
);

/// <summary>
/// The math of a block, of the embedding and of the head, as lists of kernel calls: written once, run by every device. What a
/// backward lacks is derived from here: the smallest part of the forward that yields it.
/// </summary>
internal static class BlockCalls
{
    private static readonly ImmutableArray<Operand> None = [];

    /// <summary>x to y; every tensor that a backward may want on the way.</summary>
    public static ImmutableArray<KernelCall> Forward(ModelConfig model) =>
        [
            new(Kernel.RmsNormForward, [TensorName.Input, Operand.W(WeightName.AttentionNorm)], [TensorName.Norm1, TensorName.Rstd1], None),
            new(Kernel.GemmForward, [TensorName.Norm1, Operand.W(WeightName.Qkv)], [TensorName.Qkv], None),
            new(
                Kernel.QkNormRopeForward,
                [TensorName.Qkv, TensorName.FirstKey, .. QkNorms(model, Operand.W)],
                [TensorName.Query, TensorName.KvPiece],
                None
            ),
            new(
                Kernel.AttentionForward,
                [TensorName.Query, TensorName.KvWindow, TensorName.FirstKey],
                [TensorName.AttentionOut, TensorName.Lse],
                None
            ),
            new(
                Kernel.GemmForward,
                [TensorName.AttentionOut, Operand.W(WeightName.AttentionOut), TensorName.Input],
                [TensorName.Residual],
                None
            ),
            new(Kernel.RmsNormForward, [TensorName.Residual, Operand.W(WeightName.FfnNorm)], [TensorName.Norm2, TensorName.Rstd2], None),
            new(Kernel.GemmForward, [TensorName.Norm2, Operand.W(WeightName.GateUp)], [TensorName.GateUp], None),
            new(Kernel.SwiGluForward, [TensorName.GateUp], [TensorName.Ffn], None),
            new(Kernel.GemmForward, [TensorName.Ffn, Operand.W(WeightName.Down), TensorName.Residual], [TensorName.Output], None),
        ];

    /// <summary>The gradient of the residual stream in place, from y's to x's, and of every weight.</summary>
    public static ImmutableArray<KernelCall> Backward(ModelConfig model) =>
        [
            new(Kernel.GemmInputGradient, [TensorName.GradStream, Operand.W(WeightName.Down)], [TensorName.GradFfn], None),
            new(Kernel.SwiGluBackward, None, None, [TensorName.GradFfn, TensorName.GateUp]),
            new(Kernel.GemmWeightGradient, [TensorName.GradStream, TensorName.GradFfn], None, [Operand.G(WeightName.Down)]),
            new(Kernel.GemmInputGradient, [TensorName.GateUp, Operand.W(WeightName.GateUp)], [TensorName.GradNorm2], None),
            new(Kernel.GemmWeightGradient, [TensorName.GateUp, TensorName.Norm2], None, [Operand.G(WeightName.GateUp)]),
            new(
                Kernel.RmsNormBackward,
                [TensorName.GradNorm2, TensorName.Residual, TensorName.Rstd2, Operand.W(WeightName.FfnNorm)],
                [TensorName.Partials],
                [TensorName.GradStream, Operand.G(WeightName.FfnNorm)]
            ),
            new(Kernel.GemmInputGradient, [TensorName.GradStream, Operand.W(WeightName.AttentionOut)], [TensorName.GradAttention], None),
            new(Kernel.GemmWeightGradient, [TensorName.GradStream, TensorName.AttentionOut], None, [Operand.G(WeightName.AttentionOut)]),
            new(
                Kernel.AttentionBackward,
                [
                    TensorName.Query,
                    TensorName.KvWindow,
                    TensorName.FirstKey,
                    TensorName.AttentionOut,
                    TensorName.Lse,
                    TensorName.GradAttention,
                ],
                [TensorName.GradQuery, TensorName.GradQuerySums],
                [TensorName.GradKvWindow]
            ),
            new(
                Kernel.QkNormRopeBackward,
                [TensorName.GradQuery, TensorName.GradKvPiece, TensorName.FirstKey, .. RawQkv(model), .. QkNorms(model, Operand.W)],
                [TensorName.GradQkv, .. NormPartials(model)],
                QkNorms(model, Operand.G)
            ),
            new(Kernel.GemmInputGradient, [TensorName.GradQkv, Operand.W(WeightName.Qkv)], [TensorName.GradNorm1], None),
            new(Kernel.GemmWeightGradient, [TensorName.GradQkv, TensorName.Norm1], None, [Operand.G(WeightName.Qkv)]),
            new(
                Kernel.RmsNormBackward,
                [TensorName.GradNorm1, TensorName.Input, TensorName.Rstd1, Operand.W(WeightName.AttentionNorm)],
                [TensorName.Partials],
                [TensorName.GradStream, Operand.G(WeightName.AttentionNorm)]
            ),
        ];

    /// <summary>The forward where attention takes its window segment by segment.</summary>
    public static StreamedCalls StreamedForward(ModelConfig model)
    {
        ImmutableArray<Operand> carried = [TensorName.AttentionSums, TensorName.AttentionMaxima, TensorName.AttentionTotals];
        var (before, attention, after) = Around(Forward(model), Kernel.AttentionForward);
        return new StreamedCalls(
            before,
            [new(Kernel.AttentionSegmentForward, [TensorName.Query, TensorName.KvSegment, TensorName.FirstKey], None, carried)],
            [new(Kernel.AttentionNormalize, carried, attention.Writes, None), .. after]);
    }

    /// <summary>The backward where attention takes its window segment by segment.</summary>
    public static StreamedCalls StreamedBackward(ModelConfig model)
    {
        var (before, attention, after) = Around(Backward(model), Kernel.AttentionBackward);
        return new StreamedCalls(
            before,
            [
                new(
                    Kernel.AttentionSegmentBackward,
                    [.. attention.Reads.Select(r => r == TensorName.KvWindow ? TensorName.KvSegment : r)],
                    None,
                    [TensorName.GradQuerySums, TensorName.GradKvSegment]
                ),
            ],
            [new(Kernel.AttentionRounding, [TensorName.GradQuerySums], [TensorName.GradQuery], None), .. after]);
    }

    /// <summary>
    /// Rows of the embedding table. Where it is cut, the first block computed also zeroes the rows of other ids, and later ones leave them
    /// alone.
    /// </summary>
    public static ImmutableArray<KernelCall> Embed() =>
        [new(Kernel.EmbeddingForward, [TensorName.Ids, Operand.W(WeightName.EmbeddingTable)], [TensorName.Output], None)];

    /// <summary>Adds the stream's gradient to the table's rows, or to those of a block.</summary>
    public static ImmutableArray<KernelCall> EmbedBackward() =>
        [
            new(
                Kernel.EmbeddingBackward,
                [TensorName.Ids, TensorName.Order, TensorName.GradStream],
                None,
                [Operand.G(WeightName.EmbeddingTable)]
            ),
        ];

    /// <summary>Final norm, logits, loss and back, for one head sub-chunk.</summary>
    public static ImmutableArray<KernelCall> Head(ModelConfig model)
    {
        var matrix = model.HeadMatrix;
        return
        [
            new(
                Kernel.RmsNormForward,
                [TensorName.Input, Operand.W(WeightName.FinalNorm)],
                [TensorName.HeadNorm, TensorName.HeadRstd],
                None
            ),
            new(Kernel.GemmForward, [TensorName.HeadNorm, Operand.W(matrix)], [TensorName.Logits], None),
            new(
                Kernel.CrossEntropy,
                [TensorName.Logits, TensorName.Targets],
                [TensorName.GradLogits, TensorName.Partials],
                [TensorName.Loss]
            ),
            new(Kernel.GemmInputGradient, [TensorName.GradLogits, Operand.W(matrix)], [TensorName.GradHeadNorm], None),
            new(Kernel.GemmWeightGradient, [TensorName.GradLogits, TensorName.HeadNorm], None, [Operand.G(matrix)]),
            new(Kernel.RmsNormBackward, [TensorName.GradHeadNorm, TensorName.Input, TensorName.HeadRstd, Operand.W(WeightName.FinalNorm)],
                [TensorName.GradStream, TensorName.Partials], [Operand.G(WeightName.FinalNorm)]),
        ];
    }

    /// <summary>
    /// Final norm and logits of a block of the vocabulary, for one head sub-chunk, into the statistics of its rows; after the last block
    /// the loss.
    /// </summary>
    public static ImmutableArray<KernelCall> HeadLoss(ModelConfig model) =>
    [
        .. BlockLogits(model),
        new(Kernel.CrossEntropyStatistics, [TensorName.Logits, TensorName.Targets], None, [TensorName.LogitStatistics]),
        new(Kernel.CrossEntropyLoss, [TensorName.LogitStatistics, TensorName.Targets], None, [TensorName.Loss]),
    ];

    /// <summary>
    /// The same logits again, and back to the normed input, whose gradients add up over blocks; after the last block through the norm.
    /// </summary>
    public static ImmutableArray<KernelCall> HeadBackward(ModelConfig model) =>
        [
            .. BlockLogits(model),
            new(
                Kernel.CrossEntropyGradient,
                [TensorName.Logits, TensorName.Targets, TensorName.LogitStatistics],
                [TensorName.GradLogits],
                None
            ),
            new(Kernel.GemmInputGradient, [TensorName.GradLogits, Operand.W(model.HeadMatrix)], None, [TensorName.GradHeadSum]),
            new(Kernel.GemmWeightGradient, [TensorName.GradLogits, TensorName.HeadNorm], None, [Operand.G(model.HeadMatrix)]),
            new(
                Kernel.RmsNormBackward,
                [TensorName.GradHeadSum, TensorName.Input, TensorName.HeadRstd, Operand.W(WeightName.FinalNorm)],
                [TensorName.GradStream, TensorName.Partials],
                [Operand.G(WeightName.FinalNorm)]
            ),
        ];

    private static ImmutableArray<KernelCall> BlockLogits(ModelConfig model) =>
    [
        new(Kernel.RmsNormForward, [TensorName.Input, Operand.W(WeightName.FinalNorm)], [TensorName.HeadNorm, TensorName.HeadRstd], None),
        new(Kernel.GemmForward, [TensorName.HeadNorm, Operand.W(model.HeadMatrix)], [TensorName.Logits], None),
    ];

    /// <summary>
    /// The calls of the forward, in its order, that yield the wanted tensors from the available ones. The same calls with the same
    /// operands as the forward's, hence the same bits; an output that nobody wants is left out only where the kernel can leave it out.
    /// </summary>
    public static ImmutableArray<KernelCall> Recompute(
        ModelConfig model,
        IEnumerable<TensorName> wanted,
        IReadOnlySet<TensorName> available
    )
    {
        var needed = new HashSet<TensorName>(wanted.Where(t => !available.Contains(t)));
        var calls = new List<KernelCall>();
        foreach (var call in Forward(model).Reverse())
        {
            var outputs = call.Writes.Where(o => needed.Contains(o.Tensor)).ToImmutableArray();
            if (outputs.IsEmpty)
            {
                continue;
            }

            calls.Add(call.Kernel == Kernel.QkNormRopeForward ? call with { Writes = outputs } : call);
            foreach (var operand in call.Reads)
            {
                var tensor =
                    operand.Tensor == TensorName.KvWindow && !available.Contains(TensorName.KvWindow) ? TensorName.KvPiece : operand.Tensor;
                if (!available.Contains(tensor) && tensor is not (TensorName.Weight or TensorName.FirstKey))
                {
                    needed.Add(tensor);
                }
            }
        }

        calls.Reverse();
        return [.. calls];
    }

    private static (ImmutableArray<KernelCall> Before, KernelCall Call, ImmutableArray<KernelCall> After) Around(
        ImmutableArray<KernelCall> calls,
        Kernel kernel
    )
    {
        var call = calls.Single(c => c.Kernel == kernel);
        int at = calls.IndexOf(call);
        return (calls[..at], call, calls[(at + 1)..]);
    }

    private static ImmutableArray<Operand> QkNorms(ModelConfig model, Func<WeightName, Operand> of) =>
        model.QkNorm ? [of(WeightName.QNorm), of(WeightName.KNorm)] : [];

    private static ImmutableArray<Operand> NormPartials(ModelConfig model) => model.QkNorm ? [TensorName.Partials] : [];

    private static ImmutableArray<Operand> RawQkv(ModelConfig model) => model.QkNorm ? [TensorName.Qkv] : [];
}
