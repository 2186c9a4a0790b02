using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda;

/// <summary>
/// The catalog with the operands of each call declared to the emulated driver first, as <see cref="IKernels"/> describes them: a launch
/// that strays from them is found, wherever in the arena it lands. Devices on the real driver do without it.
/// </summary>
/// <param name="inner">What launches.</param>
/// <param name="products">The memory that matrix products work in.</param>
/// <param name="step">The step's arguments.</param>
internal sealed class DeclaringKernels(IKernels inner, OpDeclaration op, DeclaredRange products, DeclaredRange step) : IKernels
{
    private const int Word = sizeof(int);

    /// <inheritdoc/>
    public void Copy(nuint from, nuint to, Bytes length)
    {
        op.Launches(nameof(Copy), [Read(from, length.Value), Write(to, length.Value)]);
        inner.Copy(from, to, length);
    }

    /// <inheritdoc/>
    public void Zero(nuint at, Bytes length)
    {
        op.Launches(nameof(Zero), [Write(at, length.Value)]);
        inner.Zero(at, length);
    }

    /// <inheritdoc/>
    public void EmbeddingForward(nuint ids, Tensor table, Tensor x)
    {
        op.Launches(nameof(EmbeddingForward), [Words(ids, x.Rows), Read(table), Write(x)]);
        inner.EmbeddingForward(ids, table, x);
    }

    /// <inheritdoc/>
    public void EmbeddingBackward(nuint ids, nuint order, Tensor dx, Tensor dTable)
    {
        op.Launches(nameof(EmbeddingBackward), [Words(ids, dx.Rows), Words(order, dx.Rows), Read(dx), Update(dTable)]);
        inner.EmbeddingBackward(ids, order, dx, dTable);
    }

    /// <inheritdoc/>
    public void EmbeddingBlockForward(nuint ids, Tensor block, int firstId, Tensor x, bool zeroOthers)
    {
        op.Launches(nameof(EmbeddingBlockForward), [Words(ids, x.Rows), Read(block), Sum(x, accumulate: !zeroOthers)]);
        inner.EmbeddingBlockForward(ids, block, firstId, x, zeroOthers);
    }

    /// <inheritdoc/>
    public void EmbeddingBlockBackward(nuint ids, nuint order, int firstId, Tensor dx, Tensor dBlock)
    {
        op.Launches(nameof(EmbeddingBlockBackward), [Words(ids, dx.Rows), Words(order, dx.Rows), Read(dx), Update(dBlock)]);
        inner.EmbeddingBlockBackward(ids, order, firstId, dx, dBlock);
    }

    /// <inheritdoc/>
    public void RmsNormForward(Tensor x, Tensor weight, float epsilon, Tensor y, nuint rstd)
    {
        op.Launches(nameof(RmsNormForward), [Read(x), Read(weight), Write(y), Write(rstd, Floats(x.Rows))]);
        inner.RmsNormForward(x, weight, epsilon, y, rstd);
    }

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
    )
    {
        op.Launches(
            nameof(RmsNormBackward),
            [
                Read(dy),
                Read(x),
                Read(rstd, Floats(x.Rows)),
                Read(weight),
                Read(addend),
                Write(dx),
                Sum(dWeight, accumulate),
                Update(workspace, KernelWorkspace.RmsNorm(x.Rows, x.Columns)),
            ]
        );
        inner.RmsNormBackward(dy, x, rstd, weight, dx, addend, dWeight, accumulate, workspace);
    }

    /// <inheritdoc/>
    public void Gemm(Tensor a, Transpose ta, Tensor b, Transpose tb, Tensor c, Tensor? addend)
    {
        op.Launches(nameof(Gemm), [Read(a), Read(b), Read(addend), Write(c)], products);
        inner.Gemm(a, ta, b, tb, c, addend);
    }

    /// <inheritdoc/>
    public void QkNormRopeForward(
        Tensor qkv, Tensor? qNorm, Tensor? kNorm, float epsilon, ChunkContext at, double theta, HeadShape heads, Tensor? q, Tensor? kv)
    {
        op.Launches(nameof(QkNormRopeForward), [Read(qkv), Read(qNorm), Read(kNorm), Words(at.FirstKey, qkv.Rows), Write(q), Write(kv)]);
        inner.QkNormRopeForward(qkv, qNorm, kNorm, epsilon, at, theta, heads, q, kv);
    }

    /// <inheritdoc/>
    public void QkNormRopeBackward(
        Tensor dq, Tensor dkv, Tensor? qkv, Tensor? qNorm, Tensor? kNorm, float epsilon, ChunkContext at, double theta, HeadShape heads,
        Tensor dqkv, Tensor? dqNorm, Tensor? dkNorm, bool accumulate, nuint workspace)
    {
        op.Launches(nameof(QkNormRopeBackward),
            [
                Read(dq),
                Read(dkv),
                Read(qkv),
                Read(qNorm),
                Read(kNorm),
                Words(at.FirstKey, dqkv.Rows),
                Write(dqkv),
                Sum(dqNorm, accumulate),
                Sum(dkNorm, accumulate),
                Update(workspace, qNorm is null ? Bytes.Zero : KernelWorkspace.QkNorm(dqkv.Rows, heads.HeadDim)),
            ]);
        inner.QkNormRopeBackward(dq, dkv, qkv, qNorm, kNorm, epsilon, at, theta, heads, dqkv, dqNorm, dkNorm, accumulate, workspace);
    }

    /// <inheritdoc/>
    public void AttentionForward(Tensor q, WindowRows keys, ChunkContext at, HeadShape heads, Tensor o, nuint lse)
    {
        op.Launches(
            nameof(AttentionForward),
            [
                Read(q),
                Read(Seen(keys.Kv, keys, at, q)),
                Words(at.FirstKey, q.Rows),
                Write(o),
                Write(lse, Floats(heads.Heads * (long)q.Rows)),
            ]
        );
        inner.AttentionForward(q, keys, at, heads, o, lse);
    }

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
    )
    {
        op.Launches(nameof(AttentionBackward),
            [
                Read(q),
                Read(Seen(keys.Kv, keys, at, q)),
                Words(at.FirstKey, q.Rows),
                Read(o),
                Read(lse, Floats(heads.Heads * (long)q.Rows)),
                Read(dO),
                Write(dq),
                Sum(Seen(dkv, keys, at, q), accumulate),
                Update(workspace, KernelWorkspace.AttentionBackward(q.Rows, heads.Heads, heads.HeadDim)),
            ]);
        inner.AttentionBackward(q, keys, at, heads, o, lse, dO, dq, dkv, accumulate, workspace);
    }

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
    )
    {
        op.Launches(
            nameof(AttentionSegmentForward),
            [
                Read(q),
                Read(Seen(keys.Kv, keys, at, q)),
                Words(at.FirstKey, q.Rows),
                Update(sums, KernelWorkspace.AttentionForward(q.Rows, heads.Heads, heads.HeadDim)),
            ]
        );
        inner.AttentionSegmentForward(q, keys, at, heads, sums, maxima, totals, continues);
    }

    /// <inheritdoc/>
    public void AttentionNormalize(nuint sums, nuint maxima, nuint totals, HeadShape heads, Tensor o, nuint lse)
    {
        op.Launches(
            nameof(AttentionNormalize),
            [
                Read(sums, KernelWorkspace.AttentionForward(o.Rows, heads.Heads, heads.HeadDim).Value),
                Write(o),
                Write(lse, Floats(heads.Heads * (long)o.Rows)),
            ]
        );
        inner.AttentionNormalize(sums, maxima, totals, heads, o, lse);
    }

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
    )
    {
        op.Launches(nameof(AttentionSegmentBackward),
            [
                Read(q),
                Read(Seen(keys.Kv, keys, at, q)),
                Words(at.FirstKey, q.Rows),
                Read(o),
                Read(lse, Floats(heads.Heads * (long)q.Rows)),
                Read(dO),
                Update(dqSums, KernelWorkspace.AttentionBackward(q.Rows, heads.Heads, heads.HeadDim)),
                Sum(Seen(dkv, keys, at, q), accumulate),
            ]
        );
        inner.AttentionSegmentBackward(q, keys, at, heads, o, lse, dO, dqSums, continues, dkv, accumulate);
    }

    /// <inheritdoc/>
    public void AttentionRounding(nuint dqSums, HeadShape heads, Tensor dq)
    {
        op.Launches(
            nameof(AttentionRounding),
            [Read(dqSums, KernelWorkspace.AttentionBackward(dq.Rows, heads.Heads, heads.HeadDim).Value), Write(dq)]
        );
        inner.AttentionRounding(dqSums, heads, dq);
    }

    /// <inheritdoc/>
    public void SwiGluForward(Tensor gateUp, Tensor ffn)
    {
        op.Launches(nameof(SwiGluForward), [Read(gateUp), Write(ffn)]);
        inner.SwiGluForward(gateUp, ffn);
    }

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor dffn, Tensor gateUp)
    {
        op.Launches(nameof(SwiGluBackward), [Update(dffn), Update(gateUp)]);
        inner.SwiGluBackward(dffn, gateUp);
    }

    /// <inheritdoc/>
    public void CrossEntropy(Tensor logits, nuint targets, Tensor dlogits, nuint loss, bool accumulate, nuint workspace)
    {
        op.Launches(
            nameof(CrossEntropy),
            [
                Read(logits),
                Words(targets, logits.Rows),
                Write(dlogits),
                Sum(loss, sizeof(float), accumulate),
                Update(workspace, KernelWorkspace.CrossEntropy(logits.Rows)),
            ],
            step
        );
        inner.CrossEntropy(logits, targets, dlogits, loss, accumulate, workspace);
    }

    /// <inheritdoc/>
    public void CrossEntropyStatistics(Tensor logits, nuint targets, int firstId, nuint statistics, int stride, bool fold)
    {
        op.Launches(nameof(CrossEntropyStatistics),
            [
                Read(logits),
                Words(targets, logits.Rows),
                Sum(Statistic(statistics, 0, stride), Floats(logits.Rows), fold),
                Sum(Statistic(statistics, 1, stride), Floats(logits.Rows), fold),
                Sum(Statistic(statistics, 2, stride), Floats(logits.Rows), fold),
            ]
        );
        inner.CrossEntropyStatistics(logits, targets, firstId, statistics, stride, fold);
    }

    /// <inheritdoc/>
    public void CrossEntropyLoss(nuint targets, int rows, nuint statistics, int stride, nuint loss)
    {
        op.Launches(nameof(CrossEntropyLoss), [Words(targets, rows), .. Statistics(statistics, stride, rows), Write(loss, sizeof(float))]);
        inner.CrossEntropyLoss(targets, rows, statistics, stride, loss);
    }

    /// <inheritdoc/>
    public void CrossEntropyGradient(Tensor logits, nuint targets, int firstId, nuint statistics, int stride, Tensor dlogits)
    {
        op.Launches(
            nameof(CrossEntropyGradient),
            [Read(logits), Words(targets, logits.Rows), .. Statistics(statistics, stride, logits.Rows), Write(dlogits)],
            step
        );
        inner.CrossEntropyGradient(logits, targets, firstId, statistics, stride, dlogits);
    }

    /// <inheritdoc/>
    public void SquaredSum(nuint gradient, DType type, ParameterLayout layout, nuint sum, nuint workspace)
    {
        op.Launches(nameof(SquaredSum),
            [
                .. layout.Tensors.Select(t => Read(gradient + (nuint)(t.ElementOffset * type.Size()), t.Count * type.Size())),
                Write(sum, sizeof(double)), Update(workspace, KernelWorkspace.SquaredSum(layout)),
            ]);
        inner.SquaredSum(gradient, type, layout, sum, workspace);
    }

    /// <inheritdoc/>
    public void AdamW(in UpdateRange range, Recipe recipe, nuint norms, int normCount)
    {
        long count = range.Count;
        Bytes moments = new(count * recipe.Moments.Size());
        op.Launches(nameof(AdamW),
            [
                // Master weights are what the update adds to; the parameters are these rounded.
                recipe.Master
                    is { } master
                    ? Update(range.Master, new Bytes(count * master.Size()))
                    : default,
                recipe.Master is null
                    ? Update(range.Weights, new Bytes(count * recipe.Parameters.Size()))
                    : Write(range.Weights, count * recipe.Parameters.Size()),
                Read(range.Gradient, count * recipe.Gradients.Size()),
                Update(range.FirstMoment, moments),
                Update(range.SecondMoment, moments),
                Read(norms, (long)normCount * sizeof(double)),
            ],
            step);
        inner.AdamW(range, recipe, norms, normCount);
    }

    /// <summary>The rows of a window, or of its gradient, up to the chunk's last: no query looks further.</summary>
    private static Tensor Seen(in Tensor rows, WindowRows keys, ChunkContext at, in Tensor q) =>
        rows with { Rows = Math.Clamp(at.Row + q.Rows - keys.FirstRow, 0, rows.Rows) };

    private static long Floats(long count) => count * sizeof(float);

    private static nuint Statistic(nuint statistics, int index, int stride) => statistics + (nuint)Floats((long)index * stride);

    private static DeclaredRange[] Statistics(nuint statistics, int stride, int rows) =>
        [.. Enumerable.Range(0, 3).Select(i => Read(Statistic(statistics, i, stride), Floats(rows)))];

    private static DeclaredRange Read(nuint at, long bytes) => new(new DevicePointer(at), new Bytes(bytes), MemoryAccess.Read);

    private static DeclaredRange Words(nuint at, int count) => Read(at, (long)count * Word);

    private static DeclaredRange Write(nuint at, long bytes) => new(new DevicePointer(at), new Bytes(bytes), MemoryAccess.Write);

    private static DeclaredRange Update(nuint at, Bytes bytes) => new(new DevicePointer(at), bytes, MemoryAccess.Read | MemoryAccess.Write);

    /// <summary>What is overwritten, or added to.</summary>
    private static DeclaredRange Sum(nuint at, long bytes, bool accumulate) => accumulate ? Update(at, new Bytes(bytes)) : Write(at, bytes);

    private static DeclaredRange Read(in Tensor? tensor) => tensor is { } some ? Read(some.Address, Size(some)) : default;

    private static DeclaredRange Write(in Tensor? tensor) => tensor is { } some ? Write(some.Address, Size(some)) : default;

    private static DeclaredRange Update(in Tensor tensor) => Update(tensor.Address, new Bytes(Size(tensor)));

    private static DeclaredRange Sum(in Tensor? tensor, bool accumulate) =>
        tensor is { } some ? Sum(some.Address, Size(some), accumulate) : default;

    private static long Size(in Tensor tensor) => (long)tensor.Rows * tensor.Columns * tensor.Type.Size();
}
