using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>What updates run that are not elementwise throughout: whole matrices by several kernels, the rest in one pass.</summary>
/// <param name="workload">Whose updates.</param>
/// <param name="programs">Of the same workload.</param>
public sealed class UpdateWork(Workload workload, BlockPrograms programs)
{
    private readonly Dictionary<(ParameterLayout Layout, long First, long Count), ImmutableArray<KernelRun>> known = [];
    private readonly Dictionary<ParameterLayout, StateLayout> states = new(ReferenceEqualityComparer.Instance);

    /// <summary>The kernels of an op. Objects of a layer whose pieces have the same place and size count as one.</summary>
    public ImmutableArray<KernelRun> Of(ScheduledOp op)
    {
        Access Accessed(string role) => op.Accesses.Single(a => a.Role == role);
        var (weights, state) = (Accessed(Roles.Weights), Accessed(Roles.Optimizer));
        long size = workload.Recipe.Parameters.Size(), first = weights.Offset.Value / size, count = weights.Length.Value / size;
        var layout = Candidates(op).First(l => Fits(l, first, count, state.Length));
        return Of(layout, first, count);
    }

    /// <summary>The kernels of a piece of a parameter object.</summary>
    public ImmutableArray<KernelRun> Of(ParameterLayout layout, long first, long count) =>
        known.TryGetValue((layout, first, count), out var runs)
            ? runs
            : known[(layout, first, count)] = [.. StateOf(layout).Slices(first, count).SelectMany(Of)];

    private IEnumerable<KernelRun> Of(StateSlice slice)
    {
        var recipe = workload.Recipe;
        var average = AverageOf(slice);
        if (slice.Run.Matrix is { } matrix)
        {
            return MuonWork.Of(matrix, recipe, NewtonSchulz.Muon).Concat(average);
        }

        var parts = slice.Run.Update.Parts.Where(p => p.Name != StatePart.Average);
        double kept = parts.Sum(p => (double)p.SizeOf(slice.Count).Value);
        double moved = slice.Count * (recipe.Gradients.Size() + (2.0 * recipe.Parameters.Size()));
        var kernel = slice.Run.Update.Rule == UpdateRule.AdamW8Bit ? Kernel.AdamW8Bit : Kernel.Update;
        return average.Prepend(new KernelRun(kernel, KernelWork.Memory(moved + (2 * kept)), 1));
    }

    // A pass of its own: it reads the weights, and the average there and back.
    private IEnumerable<KernelRun> AverageOf(StateSlice slice) =>
        workload.Optimizer.KeepsAverage
            ? [new KernelRun(Kernel.Update, KernelWork.Memory(slice.Count * (WeightSize + (2.0 * DType.Float32.Size()))), 1)]
            : [];

    private double WeightSize => (workload.Recipe.Master ?? workload.Recipe.Parameters).Size();

    private bool Fits(ParameterLayout layout, long first, long count, Bytes size)
    {
        var state = StateOf(layout);
        bool whole = state.MayCut(first) && state.MayCut(first + count);
        return whole && first + count <= layout.ElementCount && state.Size(first, count) == size;
    }

    private IEnumerable<ParameterLayout> Candidates(ScheduledOp op) =>
        op.Layer is { } layer
            ? programs[layer].Parts.Where(p => p.IsTrained)
            : [.. programs.HeadBlockLayouts, programs.HeadLayout, .. programs.EmbeddingLayouts, .. Apart];

    private ImmutableArray<ParameterLayout> Apart => programs.ApartLayout is { } apart ? [apart] : [];

    private StateLayout StateOf(ParameterLayout layout) =>
        states.TryGetValue(layout, out var known) ? known : states[layout] = workload.StateOf(layout);
}
