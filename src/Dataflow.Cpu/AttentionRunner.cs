using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Cpu;

/// <summary>Attention of one chunk, to its whole window or to a segment of it. Pieces of a window are chunks, whatever the op has at hand.</summary>
internal static unsafe class AttentionRunner
{
    public static void Run(ThreadTeam team, ModelConfig model, Geometry geometry, ScheduledOp op, KernelCall call, in OpOperands at)
    {
        var (reads, writes, updates) = (call.Reads, call.Writes, call.Updates);
        var (heads, kvHeads, headDim) = (model.HeadCount, model.KvHeadCount, model.HeadDim);
        if (call.Kernel == Kernel.AttentionNormalize)
        {
            Attention.Normalize(team, at.Matrix(reads[0]), Floats(reads[1], at), Floats(reads[2], at), heads, headDim, at.Matrix(writes[0]), Floats(writes[1], at));
            return;
        }

        var q = at.Matrix(reads[0]);
        int* firstKey = (int*)at.Pointer(reads[2]);
        int row = geometry.WindowRow(op.Chunk!.Value);
        var keys = op.Segment is { } segment
            ? new KeyRows(at.AccessedRows(reads[1]), geometry.FirstRow(segment), geometry.ChunkTokens)
            : new KeyRows(at.Matrix(reads[1]), 0, geometry.ChunkTokens);
        bool continued = op.Segment is { Index: > 0 };
        switch (call.Kernel)
        {
            case Kernel.AttentionForward:
                Attention.Forward(team, q, keys, firstKey, row, heads, kvHeads, headDim, at.Matrix(writes[0]), Floats(writes[1], at));
                break;
            case Kernel.AttentionBackward:
                Attention.Backward(team, q, keys, firstKey, row, heads, kvHeads, headDim, at.Matrix(reads[3]), Floats(reads[4], at), at.Matrix(reads[5]),
                    at.Matrix(writes[0]), at.Matrix(updates[0]), Accumulates(updates[0], at));
                break;
            case Kernel.AttentionSegmentForward:
                Attention.ForwardSegment(team, q, keys, firstKey, row, heads, kvHeads, headDim, at.Matrix(updates[0]), Floats(updates[1], at), Floats(updates[2], at), continued);
                break;
            default:
                Attention.BackwardSegment(team, q, keys, firstKey, row, heads, kvHeads, headDim, at.Matrix(reads[3]), Floats(reads[4], at), at.Matrix(reads[5]),
                    at.Matrix(updates[0]), continued, at.AccessedRows(updates[1]), Accumulates(updates[1], at));
                break;
        }
    }

    private static float* Floats(Operand operand, in OpOperands at) => (float*)at.Pointer(operand);

    private static bool Accumulates(Operand operand, in OpOperands at) => !at.Overwrites(at.Role(operand));
}
