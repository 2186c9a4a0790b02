using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>
/// Attention of one chunk, to its whole window or to a segment of it. Pieces of a window are chunks, whatever the op has at hand.
/// </summary>
internal static class AttentionRunner
{
    public static void Run(IKernels kernels, HeadShape heads, Geometry geometry, ScheduledOp op, KernelCall call, in OpOperands at)
    {
        var (reads, writes, updates) = (call.Reads, call.Writes, call.Updates);
        if (call.Kernel == Kernel.AttentionNormalize)
        {
            kernels.AttentionNormalize(
                new()
                {
                    Sums = at.Pointer(reads[0]),
                    Maxima = at.Pointer(reads[1]),
                    Totals = at.Pointer(reads[2]),
                    Heads = heads,
                    Output = at.Tensor(writes[0]),
                    Lse = at.Pointer(writes[1]),
                }
            );
            return;
        }

        if (call.Kernel == Kernel.AttentionRounding)
        {
            kernels.AttentionRounding(
                new()
                {
                    GradQuerySums = at.Pointer(reads[0]),
                    Heads = heads,
                    GradQuery = at.Tensor(writes[0]),
                }
            );
            return;
        }

        var q = at.Tensor(reads[0]);
        var context = new ChunkContext(at.Pointer(reads[2]), geometry.WindowRow(op.Chunk!.Value));
        var keys = op.Segment is { } segment
            ? new WindowRows(at.AccessedRows(reads[1]), geometry.FirstRow(segment), geometry.ChunkTokens)
            : new WindowRows(at.Tensor(reads[1]), 0, geometry.ChunkTokens);
        bool continued = op.Segment is { Index: > 0 };
        switch (call.Kernel)
        {
            case Kernel.AttentionForward:
                kernels.AttentionForward(
                    new()
                    {
                        Query = q,
                        Keys = keys,
                        At = context,
                        Heads = heads,
                        Output = at.Tensor(writes[0]),
                        Lse = at.Pointer(writes[1]),
                    }
                );
                break;
            case Kernel.AttentionBackward:
                kernels.AttentionBackward(
                    new()
                    {
                        Query = q,
                        Keys = keys,
                        At = context,
                        Heads = heads,
                        Output = at.Tensor(reads[3]),
                        Lse = at.Pointer(reads[4]),
                        GradOutput = at.Tensor(reads[5]),
                        GradQuery = at.Tensor(writes[0]),
                        GradKeyValue = at.Tensor(updates[0]),
                        Accumulate = Accumulates(updates[0], at),
                        Workspace = at.Pointer(writes[1]),
                    }
                );
                break;
            case Kernel.AttentionSegmentForward:
                kernels.AttentionSegmentForward(
                    new()
                    {
                        Query = q,
                        Keys = keys,
                        At = context,
                        Heads = heads,
                        Sums = at.Pointer(updates[0]),
                        Maxima = at.Pointer(updates[1]),
                        Totals = at.Pointer(updates[2]),
                        Continues = continued,
                    }
                );
                break;
            default:
                kernels.AttentionSegmentBackward(
                    new()
                    {
                        Query = q,
                        Keys = keys,
                        At = context,
                        Heads = heads,
                        Output = at.Tensor(reads[3]),
                        Lse = at.Pointer(reads[4]),
                        GradOutput = at.Tensor(reads[5]),
                        GradQuerySums = at.Pointer(updates[0]),
                        Continues = continued,
                        GradKeyValue = at.AccessedRows(updates[1]),
                        Accumulate = Accumulates(updates[1], at),
                    }
                );
                break;
        }
    }

    private static bool Accumulates(Operand operand, in OpOperands at) => !at.Overwrites(at.Role(operand));
}
