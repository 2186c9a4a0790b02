using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// The same, one segment of the window at a time, for windows that do not fit: segments ascending, the first of them starting the sums.
/// What is carried from one to the next is what the whole has in hand at that row, so that the bits are those of the whole.
/// </summary>
public static unsafe partial class Attention
{
    /// <summary>
    /// keys: a segment's rows, of which those up to rowOffset + T - 1 are read. Carried, fp32: sums, T x H hd, of values times exponentials
    /// under the running maximum; maxima and totals (of exponentials), H x T. They are overwritten, or under <paramref name="continued"/>
    /// updated.
    /// </summary>
    public static void ForwardSegment(
        ThreadTeam team,
        Matrix q,
        KeyRows keys,
        int* firstKey,
        int rowOffset,
        int heads,
        int kvHeads,
        int headDim,
        Matrix sums,
        float* maxima,
        float* totals,
        bool continued
    )
    {
        AttentionShape shape = new(q, keys, firstKey, rowOffset, heads, kvHeads, headDim);
        ExpectSums(sums, q, nameof(sums));
        Forward(team, shape, new AttentionResult(sums, maxima, totals, continued));
    }

    /// <summary>sums, maxima, totals: after the last segment; o: T x H hd and lse: H x T, overwritten.</summary>
    public static void Normalize(ThreadTeam team, Matrix sums, float* maxima, float* totals, int heads, int headDim, Matrix o, float* lse)
    {
        ExpectSums(sums, o, nameof(sums));
        o.Expect(o.Rows, heads * headDim, nameof(o));
        team.For(heads, new AttentionNormalize(sums, maxima, totals, headDim, o, lse));
    }

    /// <summary>
    /// As the backward of the whole, for a segment's rows: dkv has a row for each of keys; dqSums, T x H hd, fp32, is overwritten, or under
    /// <paramref name="continued"/> added to, keys ascending over all segments.
    /// </summary>
    public static void BackwardSegment(
        ThreadTeam team,
        Matrix q,
        KeyRows keys,
        int* firstKey,
        int rowOffset,
        int heads,
        int kvHeads,
        int headDim,
        Matrix o,
        float* lse,
        Matrix dO,
        Matrix dqSums,
        bool continued,
        Matrix dkv,
        bool accumulate
    )
    {
        AttentionShape shape = new(q, keys, firstKey, rowOffset, heads, kvHeads, headDim);
        ExpectSums(dqSums, q, nameof(dqSums));
        Backward(team, shape, new AttentionGradients(o, lse, dO, dqSums, dkv, accumulate) { DqContinues = continued });
    }

    private static void ExpectSums(Matrix sums, Matrix like, string name)
    {
        sums.Expect(like.Rows, like.Columns, name);
        if (sums.Type != DType.Float32)
        {
            throw new ArgumentException($"{name} is {sums.Type.Name()}, expected fp32", name);
        }
    }
}
