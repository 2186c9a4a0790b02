using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// A layer whose experts lie in objects of their own passes them one after the other, in an op each, which scratch runs through. In the
/// last round each is updated before the next one's gradient is made, so that one slot does for the gradients of all.
/// </summary>
internal sealed partial class StepLowering
{
    /// <summary>An op, or those of its pieces, each with the uses that it names.</summary>
    private void AddPieces(
        OpKind kind,
        (Layer Layer, Chunk Chunk, Round Round) at,
        BlockProgram program,
        ReadOnlySpan<Use> uses,
        SaveSet saved,
        SaveSet wanted = default
    )
    {
        var pieces = programs[at.Layer].Pieces(program);
        if (pieces.Length == 1)
        {
            Add(kind, at.Layer, at.Chunk, at.Round, uses, saved, wanted);
            return;
        }

        var written = new HashSet<(int Object, Bytes Offset)>();
        for (int i = 0; i < pieces.Length; i++)
        {
            var roles = pieces[i].Places.Values.Select(p => p.Role).ToHashSet();
            var own = new List<Use>();
            foreach (var use in uses)
            {
                if (!use.Exists || (use.Role != Roles.Scratch && !roles.Contains(use.Role)))
                {
                    continue;
                }

                // What an earlier piece began the others find.
                bool again = use.Mode == AccessMode.Write && !written.Add((use.Object, use.Offset));
                own.Add(again ? use with { Mode = AccessMode.ReadWrite } : use);
            }

            var op = new StepOp(kind)
            {
                Layer = at.Layer,
                Chunk = at.Chunk,
                Round = at.Round,
                Saved = saved,
                Wanted = wanted,
                Piece = i,
            };
            Add(op, own.ToArray());
            if (kind == OpKind.Backward && at.Chunk.Index == geometry.ChunksPerRound - geometry.ChunksPerGroup)
            {
                UpdateBetween(at.Layer, at.Round, program, i);
            }
        }
    }

    /// <summary>
    /// Experts are updated between two pieces of the last backward that has to do with them, unless updates work in scratch, which the next
    /// piece wants as it is.
    /// </summary>
    private bool IsUpdatedBetween(ParameterOwner owner, Round r) =>
        IsLast(r) && owner.Layer is { } l && programs[l].IsOfExperts(owner.Part) && pieces.UpdatesBetween;

    /// <summary>What a piece of a layer's backward, over the chunk that is the last to have one, was the last to want.</summary>
    private void UpdateBetween(Layer l, Round r, BlockProgram program, int piece)
    {
        foreach (var owner in Trained(l))
        {
            if (IsUpdatedBetween(owner, r) && programs[l].LastPieceOf(program, owner.Part) == piece)
            {
                GradientIsFinal(lastRound: true, owner);
            }
        }
    }
}
