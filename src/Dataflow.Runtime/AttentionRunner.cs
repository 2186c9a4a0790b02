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
                at.Pointer(reads[0]),
                at.Pointer(reads[1]),
                at.Pointer(reads[2]),
                heads,
                at.Tensor(writes[0]),
                at.Pointer(writes[1])
            );
            return;
        }

        if (call.Kernel == Kernel.AttentionRounding)
        {
            kernels.AttentionRounding(at.Pointer(reads[0]), heads, at.Tensor(writes[0]));
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
                kernels.AttentionForward(q, keys, context, heads, at.Tensor(writes[0]), at.Pointer(writes[1]));
                break;
            case Kernel.AttentionBackward:
                kernels.AttentionBackward(q, keys, context, heads, at.Tensor(reads[3]), at.Pointer(reads[4]), at.Tensor(reads[5]),
                    at.Tensor(writes[0]), at.Tensor(updates[0]), Accumulates(updates[0], at), at.Pointer(writes[1]));
                break;
            case Kernel.AttentionSegmentForward:
                kernels.AttentionSegmentForward(
                    q,
                    keys,
                    context,
                    heads,
                    at.Pointer(updates[0]),
                    at.Pointer(updates[1]),
                    at.Pointer(updates[2]),
                    continued
                );
                break;
            default:
                kernels.AttentionSegmentBackward(q, keys, context, heads, at.Tensor(reads[3]), at.Pointer(reads[4]), at.Tensor(reads[5]),
                    at.Pointer(updates[0]), continued, at.AccessedRows(updates[1]), Accumulates(updates[1], at));
                break;
        }
    }

    private static bool Accumulates(Operand operand, in OpOperands at) => !at.Overwrites(at.Role(operand));
}
