using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// The same, one segment of the window at a time, for windows that do not fit: segments ascending, the first of them starting the sums.
/// What is carried from one to the next is what the whole has in hand at that row, so that the bits are those of the whole.
/// </summary>
public static unsafe partial class Attention
{
    /// <summary>
    /// Keys: a segment's rows, of which those up to the chunk's last are read. Carried, fp32: sums, T x H hd, of values times exponentials
    /// under the running maximum; maxima and totals (of exponentials), H x T. They are overwritten, or where the call continues updated.
    /// </summary>
    public static void ForwardSegment(ThreadTeam team, in AttentionSegmentForwardArguments call)
    {
        AttentionShape shape = new(call.Query, call.Keys, call.At, call.Heads);
        Matrix sums = Matrix.Sums(call.Sums, call.Query);
        Forward(team, shape, new AttentionResult(sums, (float*)call.Maxima, (float*)call.Totals, call.Continues));
    }

    /// <summary>Sums, maxima, totals: after the last segment; output and lse are overwritten.</summary>
    public static void Normalize(ThreadTeam team, in AttentionNormalizeArguments call)
    {
        Matrix sums = Matrix.Sums(call.Sums, call.Output), o = new(call.Output);
        o.Expect(o.Rows, call.Heads.Heads * call.Heads.HeadDim, nameof(call.Output));
        float* maxima = (float*)call.Maxima, totals = (float*)call.Totals;
        team.For(call.Heads.Heads, new AttentionNormalize(sums, maxima, totals, call.Heads.HeadDim, o, (float*)call.Lse));
    }

    /// <summary>
    /// As the backward of the whole, for a segment's rows: dkv has a row for each of keys; sums of dq, T x H hd, fp32, are overwritten, or
    /// where the call continues added to, keys ascending over all segments.
    /// </summary>
    public static void BackwardSegment(ThreadTeam team, in AttentionSegmentBackwardArguments call)
    {
        AttentionShape shape = new(call.Query, call.Keys, call.At, call.Heads);
        Matrix o = new(call.Output), dO = new(call.GradOutput), dkv = new(call.GradKeyValue);
        Matrix dq = Matrix.Sums(call.GradQuerySums, call.Query);
        AttentionGradients gradients = new(o, (float*)call.Lse, dO, dq, dkv, call.Accumulate);
        Backward(team, shape, gradients with { DqContinues = call.Continues });
    }
}
