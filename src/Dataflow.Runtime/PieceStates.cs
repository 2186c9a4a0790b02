using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>How the optimizer's state of each piece that a schedule updates lies in the piece: known before its first step.</summary>
public sealed class PieceStates
{
    private readonly Dictionary<(int Object, Bytes Offset), ImmutableArray<StateSlice>> slices = [];
    private readonly List<(ParameterOwner Owner, int Piece, ImmutableArray<StateSlice> Slices)> pieces = [];

    /// <param name="schedule">Whose updates.</param>
    /// <param name="workload">What it is of.</param>
    public PieceStates(Schedule schedule, Workload workload)
    {
        var programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
        var layouts = new Dictionary<ParameterLayout, StateLayout>(ReferenceEqualityComparer.Instance);
        var alike = new Dictionary<(StateLayout, long, long), ImmutableArray<StateSlice>>();
        foreach (var op in schedule.Ops.Where(op => op.Kind == OpKind.Update))
        {
            var weights = op.Accesses.Single(a => a.Role == Roles.Weights);
            var owner = schedule.Objects[weights.Object].Id!.Value.Owner!.Value;
            var layout = owner.Layout(programs);
            var state = layouts.TryGetValue(layout, out var known) ? known : layouts[layout] = workload.StateOf(layout);
            var (first, count) = ElementsOf(weights, workload.Recipe);
            var here = alike.TryGetValue((state, first, count), out var same)
                ? same
                : alike[(state, first, count)] = state.Slices(first, count);
            slices[(weights.Object, weights.Offset)] = here;
            pieces.Add((owner, op.Piece, here));
        }
    }

    /// <summary>The matrices that are updated as a whole, each shape once.</summary>
    public IEnumerable<MuonMatrix> Matrices => slices.Values.SelectMany(s => s).Select(s => s.Run.Matrix).OfType<MuonMatrix>().Distinct();

    /// <summary>Of the piece with those parameters.</summary>
    public ImmutableArray<StateSlice> this[in Access weights] => slices[(weights.Object, weights.Offset)];

    /// <summary>Those of each parameter object, with the number of their piece.</summary>
    public ILookup<ParameterOwner, (int Piece, StateSlice Slice)> ByOwner =>
        pieces.SelectMany(p => p.Slices, (p, slice) => (p.Owner, p.Piece, slice)).ToLookup(p => p.Owner, p => (p.Piece, p.slice));

    /// <summary>The elements of a parameter object that an update changes.</summary>
    public static (long First, long Count) ElementsOf(in Access weights, Recipe recipe)
    {
        long size = recipe.Parameters.Size();
        return (weights.Offset.Value / size, weights.Length.Value / size);
    }
}
