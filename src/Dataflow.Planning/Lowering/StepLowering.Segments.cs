using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// A layer whose context windows are streamed. A chunk takes its window segment by segment, ascending, forward as backward: attention's
/// sums and the query's gradient stay in scratch from one to the next, the segments come and go. Those before the layer's attention window
/// are left out.
/// </summary>
internal sealed partial class StepLowering
{
    private void StreamedForward(Layer l, Chunk c, Round r)
    {
        var saved = table.Saved(l, c, r);
        var (project, attend, combine) = (programs[l].Project(saved), programs[l].Attend(saved), programs[l].Combine(saved));
        var own = geometry.SegmentOf(c, segments);
        var split = programs[l].SavedBeforeAttention(saved);
        Add(OpKind.Project, l, c, r,
        [
            table.Table(c, r),
            .. Weights(l, project),
            table.Stream(Roles.Input, l, c, r, AccessMode.Read),
            table.Segment(l, c, r, own, geometry.WindowRow(c) - geometry.FirstRow(own), geometry.ChunkTokens, AccessMode.Write),
            Where(split > Bytes.Zero, table.Activations(l, c, r, AccessMode.Write) with { Length = split }),
            table.Scratch(project.ScratchLength, AccessMode.Write),
        ], saved, segment: own);
        foreach (var s in geometry.SegmentsOf(c, segments, programs[l].Kind.Window))
        {
            Add(OpKind.Attend, l, c, r,
            [
                table.Table(c, r),
                table.Segment(l, c, r, s, 0, geometry.RowsUpTo(c, s), AccessMode.Read),
                Where(Names(attend, Roles.Activations), table.Activations(l, c, r, AccessMode.Read) with { Length = split }),
                table.Scratch(attend.ScratchLength, AccessMode.ReadWrite),
            ], saved, segment: s);
        }

        var kept = table.Activations(l, c, r, AccessMode.Write);
        Add(OpKind.Combine, l, c, r,
        [
            .. Weights(l, combine),
            table.Stream(Roles.Input, l, c, r, AccessMode.Read),
            kept with { Offset = split, Length = kept.Length - split },
            table.Stream(Roles.Output, new Layer(l.Index + 1), c, r, AccessMode.Write),
            LoadOfForward(l, c, r),
            table.Scratch(combine.ScratchLength, AccessMode.ReadWrite),
        ], saved, segment: own);
    }

    private void StreamedBackward(Layer l, Chunk c, Round r, SaveSet saved, bool firstOfStep)
    {
        var (combine, project) = (programs[l].CombineBackward(saved), programs[l].ProjectBackward(saved));
        var own = geometry.SegmentOf(c, segments);
        bool recomputes = programs[l].NeedsRecompute(saved);
        if (recomputes)
        {
            Add(OpKind.Recompute, l, c, r,
            [
                table.Table(c, r),
                .. Weights(l, programs[l].StreamedRecompute(saved)),
                table.Stream(Roles.Input, l, c, r, AccessMode.Read),
                table.Activations(l, c, r, AccessMode.Read),
                table.Scratch(combine.ScratchLength, AccessMode.Write),
            ], saved, programs[l].Missing(saved), own);
        }

        Add(OpKind.CombineBackward, l, c, r,
        [
            Where(Names(combine, Roles.Table), table.Table(c, r)),
            .. Weights(l, combine),
            Where(Names(combine, Roles.Input), table.Stream(Roles.Input, l, c, r, AccessMode.Read)),
            table.Activations(l, c, r, saved.HasFlag(SaveSet.GateUp) ? AccessMode.ReadWrite : AccessMode.Read),
            table.GradStream(c, r, AccessMode.ReadWrite),
            .. StreamedGradients(l, combine, firstOfStep, afterAttention: false),
            Where(Loads(l), model.Balances ? table.Load(r, AccessMode.Read) : default),
            table.Scratch(combine.ScratchLength, recomputes ? AccessMode.ReadWrite : AccessMode.Write),
        ], saved, segment: own);
        foreach (var s in geometry.SegmentsOf(c, segments, programs[l].Kind.Window))
        {
            bool begins = geometry.IsLastToSee(c, s, programs[l].Kind.Window);
            int rows = geometry.RowsUpTo(c, s);
            Add(OpKind.AttendBackward, l, c, r,
            [
                table.Table(c, r),
                table.Segment(l, c, r, s, 0, rows, AccessMode.Read),
                table.Activations(l, c, r, AccessMode.Read),
                table.GradSegment(l, c, r, s, 0, rows, begins ? AccessMode.Write : AccessMode.ReadWrite),
                table.Scratch(combine.ScratchLength, AccessMode.ReadWrite),
            ], saved, segment: s);
        }

        Add(OpKind.ProjectBackward, l, c, r,
        [
            table.Table(c, r),
            .. Weights(l, project),
            table.Stream(Roles.Input, l, c, r, AccessMode.Read),
            Where(Names(project, Roles.Activations), table.Activations(l, c, r, AccessMode.Read)),
            table.GradStream(c, r, AccessMode.ReadWrite),
            table.GradSegment(l, c, r, own, geometry.WindowRow(c) - geometry.FirstRow(own), geometry.ChunkTokens, AccessMode.Read),
            .. StreamedGradients(l, project, firstOfStep, afterAttention: true),
            table.Scratch(combine.ScratchLength, AccessMode.ReadWrite),
        ], saved, segment: own);
    }

    /// <summary>Of the gradients, those that are written after attention's, or the others.</summary>
    private IEnumerable<Use> StreamedGradients(Layer l, BlockProgram program, bool firstOfStep, bool afterAttention)
    {
        foreach (var (part, use) in programs[l].PartsOf(program).Zip(Gradients(l, program, firstOfStep)))
        {
            var split = programs[l].GradientsBeforeAttention(part);
            var some = afterAttention ? use with { Length = split } : use with { Offset = split, Length = use.Length - split };
            yield return Where(use.Exists && some.Length > Bytes.Zero, some);
        }
    }

    private static Use Where(bool holds, Use use) => holds ? use : default;

    private static bool Names(BlockProgram program, string role) => program.Places.Values.Any(p => p.Role == role);
}
