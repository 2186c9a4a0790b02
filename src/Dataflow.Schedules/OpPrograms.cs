using Dataflow.Model;

namespace Dataflow.Schedules;

/// <summary>Which block program an op runs: the same for every device, and for whoever counts its work.</summary>
public static class OpPrograms
{
    /// <summary>
    /// The op's program; null for copies, zeroing, norms of gradients and updates, which are one kernel over their operands.
    /// </summary>
    public static BlockProgram? Of(ScheduledOp op, BlockPrograms programs, Geometry geometry) =>
        op.Layer is { } layer ? PieceOf(op, programs[layer], geometry) : OfVocabulary(op, programs);

    private static BlockProgram? PieceOf(ScheduledOp op, LayerPrograms programs, Geometry geometry) =>
        OfLayer(op, programs, geometry) is { } program ? programs.Pieces(program)[op.Piece] : null;

    private static BlockProgram? OfVocabulary(ScheduledOp op, BlockPrograms programs) => op.Kind switch
    {
        OpKind.Embed => programs.Embed(op.VocabularyBlock),
        OpKind.EmbedBackward => programs.EmbedBackward(op.VocabularyBlock),
        OpKind.HeadLoss => programs.HeadLoss(op.VocabularyBlock!.Value),
        OpKind.HeadBackward => programs.HeadBackward(op.VocabularyBlock!.Value),
        // An evaluation has no gradients to write.
        OpKind.Head when op.Has(Roles.Logits) => programs.Logits(op.VocabularyBlock),
        OpKind.Head => op.Has(Roles.GradStream) ? programs.Head() : programs.Evaluate(),
        _ => null,
    };

    private static BlockProgram? OfLayer(ScheduledOp op, LayerPrograms programs, Geometry geometry) => op.Kind switch
    {
        OpKind.Forward => programs.Forward(op.Saved),
        // The window of a long context is recomputed ahead of the backward of its chunks, by ops that want K and V alone.
        OpKind.Recompute when geometry.ChunksPerGroup > 1 && op.Wanted == SaveSet.Kv => programs.RecomputeKv(),
        OpKind.Recompute => op.Segment is null ? programs.Recompute(op.Saved) : programs.StreamedRecompute(op.Saved),
        OpKind.Backward => programs.Backward(op.Saved),
        OpKind.Project => programs.Project(op.Saved),
        OpKind.Attend => programs.Attend(op.Saved),
        OpKind.Combine => programs.Combine(op.Saved),
        OpKind.CombineBackward => programs.CombineBackward(op.Saved),
        OpKind.AttendBackward => programs.AttendBackward(op.Saved),
        OpKind.ProjectBackward => programs.ProjectBackward(op.Saved),
        _ => null,
    };
}
