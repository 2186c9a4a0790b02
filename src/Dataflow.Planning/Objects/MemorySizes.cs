using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// The memory of any residency of one workload, known without lowering it: the sum over all <see cref="Rows"/>. What does not
/// depend on the residency and takes time is looked up once, since a search asks for thousands. The device figure is exact: the pools to
/// the byte. The host figure is what the tenancy pass will need or slightly more, never less, and feasibility is decided by it; tests hold
/// both to the lowered plan.
/// </summary>
internal sealed class MemorySizes
{
    private readonly Bytes[] lengths;
    private readonly int[] placesOfGradients;
    private readonly int[] placesOfWindows;
    private readonly int[] turns;
    private readonly Bytes[][] largestWeights;
    private readonly Bytes[][] largestGradients;
    private Bytes[]? momentsBefore;

    public MemorySizes(Workload workload, BlockPrograms programs)
    {
        (Workload, Programs, Kind) = (workload, programs, workload.Kind);
        var geometry = workload.Geometry;
        (Layers, Chunks, Rounds) = (workload.Model.LayerCount, geometry.ChunksPerRound, geometry.Rounds);
        LayersWithBackward = Layers - workload.Model.LayersWithoutBackward;
        bool[] trained = [.. workload.Model.Layers.Select(l => programs[l].Parts.Any(p => p.IsTrained))];
        placesOfGradients = [.. Enumerable.Range(0, Layers).Select(l => trained.AsSpan(0, l).Count(true))];
        LayersWithGradients = trained.Count(t => t);
        int[] windows = [.. workload.Model.Layers.Where(l => programs[l].Kind.HasWindow).Select(l => l.Index)];
        LayersWithWindows = windows.Length;
        WindowsWithBackward = windows.Count(l => l >= Layers - LayersWithBackward);
        SharedWithBackward = windows.Count(l => l >= Layers - LayersWithBackward && !workload.Model.IsLastToReadKv(new Layer(l)));
        SharesKv = workload.Model.SharesKv;
        turns = Turns(workload.Model, windows);
        WindowsAtOnce = turns.Max() + 1;
        Bytes[] lengths =
        [
            .. workload.Model.Layers
                .Skip(workload.Model.LayersWithoutBackward)
                .Where(l => programs[l].Kind.HasWindow)
                .Select(l => (programs[l].KvPieceSize * geometry.ChunksPerGroup).Aligned),
        ];
        (AllWindows, LeastWindow) = (lengths.Aggregate(Bytes.Zero, (sum, length) => sum + length), lengths.DefaultIfEmpty().Min());
        placesOfWindows = [.. Enumerable.Range(0, Layers).Select(l => windows.Count(w => w < l))];
        (ChunksPerGroup, GroupsPerRound) = (geometry.ChunksPerGroup, geometry.GroupsPerRound);
        (IsTied, IsCut) = (workload.Model.TiedEmbedding, programs.Vocabulary.AreCut);
        Optimizer = new OptimizerPieces(workload, programs);
        Scratch = new ScratchSizes(workload, programs, workload.Kind.Updates() ? Optimizer.Scratch : Bytes.Zero);
        Owners = new ParameterOwners(workload.Model, programs);
        Experts = ExpertObjects.Of(workload, programs);
        Rows = ObjectFamilies.Of(programs, Experts);
        this.lengths = [.. Rows.Select(row => row.SlotLength(this).Aligned)];
        int parts = programs.Kinds.Max(k => k.OtherParts.Count());
        Bytes[] Largest(Func<LayerPrograms, Bytes> size) => Sums(workload.Model.Layers.Select(l => size(programs[l]).Aligned));
        largestWeights = [.. Enumerable.Range(0, parts).Select(p => Largest(k => k.WeightsSize(k.OtherPart(p))))];
        largestGradients = [.. Enumerable.Range(0, parts).Select(p => Largest(k => k.GradientsSize(k.OtherPart(p))))];
    }

    /// <summary>The workload.</summary>
    public Workload Workload { get; }

    /// <summary>Its programs.</summary>
    public BlockPrograms Programs { get; }

    /// <summary>Its families of objects.</summary>
    public ImmutableArray<ObjectRow> Rows { get; }

    /// <summary>Its trained parameter objects.</summary>
    public ParameterOwners Owners { get; }

    /// <summary>Its objects of experts alone; null where experts lie with the other parameters.</summary>
    public ExpertObjects? Experts { get; }

    /// <summary>How its optimizer state is cut.</summary>
    public OptimizerPieces Optimizer { get; }

    /// <summary>Pieces of optimizer state.</summary>
    public int Pieces => Optimizer.Total;

    /// <summary>Scratch of its residencies.</summary>
    public ScratchSizes Scratch { get; }

    /// <summary>Layers.</summary>
    public int Layers { get; }

    /// <summary>Those of them that a backward passes; the others come before them.</summary>
    public int LayersWithBackward { get; }

    /// <summary>Layers that have gradients.</summary>
    public int LayersWithGradients { get; }

    /// <summary>A layer's place among those that have gradients.</summary>
    public int PlaceOfGradients(Layer layer) => placesOfGradients[layer.Index];

    /// <summary>Layers that have keys and values of their own.</summary>
    public int LayersWithWindows { get; }

    /// <summary>A layer's place among those.</summary>
    public int PlaceOfWindow(Layer layer) => placesOfWindows[layer.Index];

    /// <summary>Those of them that a backward passes.</summary>
    public int WindowsWithBackward { get; }

    /// <summary>Bytes of a window of each layer that a backward passes: those with a state take less than those that attend.</summary>
    public Bytes AllWindows { get; }

    /// <summary>Of the shortest of these.</summary>
    public Bytes LeastWindow { get; }

    /// <summary>Those of these that other layers read, too.</summary>
    public int SharedWithBackward { get; }

    /// <summary>Windows of one group that are wanted at once, as some layers read those of others.</summary>
    public int WindowsAtOnce { get; }

    /// <summary>Which of these a layer's is: another than those that are wanted while it is.</summary>
    public int TurnOfWindow(Layer layer) => turns[layer.Index];

    /// <summary>Some layers read keys and values of others.</summary>
    public bool SharesKv { get; }

    /// <summary>Chunks of a round.</summary>
    public int Chunks { get; }

    /// <summary>Rounds of a step.</summary>
    public int Rounds { get; }

    /// <summary>Chunks that share a context window.</summary>
    public int ChunksPerGroup { get; }

    /// <summary>Context windows of a round.</summary>
    public int GroupsPerRound { get; }

    /// <summary>What a step is for.</summary>
    public WorkloadKind Kind { get; }

    /// <summary>Embedding and head have one matrix.</summary>
    public bool IsTied { get; }

    /// <summary>Embedding and head lie in blocks of rows.</summary>
    public bool IsCut { get; }

    /// <summary>No gradient outlives the layer that it is made in.</summary>
    public bool UsesGradientsAtOnce => Rounds == 1 && Kind == WorkloadKind.Training;

    /// <summary>Both memories of a residency.</summary>
    public Footprint Of(Residency residency)
    {
        var sized = new SizedResidency(this, residency);
        var (device, host) = (Bytes.Zero, Bytes.Zero);
        var rows = Rows.AsSpan();
        for (int i = 0; i < rows.Length; i++)
        {
            var memory = rows[i].MemoryOf(sized, lengths[i]);
            (device, host) = (device + memory.Device, host + memory.Host);
        }

        return new Footprint(device, host);
    }

    /// <summary>
    /// Homes of all state but that of the first so many pieces: updates run head to embedding, or the other way round where all wait for
    /// the norm.
    /// </summary>
    public Bytes MomentsAfter(int piece)
    {
        momentsBefore ??= MomentsBefore();
        return momentsBefore[^1] - momentsBefore[piece];
    }

    /// <summary>Parameters of so many layers, those with the most: one of the objects of each.</summary>
    public Bytes LargestWeights(int part, int layers) => largestWeights[part][layers];

    /// <summary>Their gradients, likewise.</summary>
    public Bytes LargestGradients(int part, int layers) => largestGradients[part][layers];

    /// <summary>Of none, of the largest, of the two largest and so on.</summary>
    internal static Bytes[] Sums(IEnumerable<Bytes> sizes)
    {
        var sum = Bytes.Zero;
        return [Bytes.Zero, .. sizes.OrderDescending().Select(size => sum += size)];
    }

    private static int[] Turns(ModelConfig model, int[] windows)
    {
        int[] turns = new int[model.LayerCount];
        var ends = new List<int>();
        foreach (int l in windows)
        {
            int turn = ends.FindIndex(end => end < l);
            if (turn < 0)
            {
                turn = ends.Count;
                ends.Add(0);
            }

            (turns[l], ends[turn]) = (turn, model.LastToReadKv(new Layer(l)).Index);
        }

        return turns;
    }

    private Bytes[] MomentsBefore()
    {
        var before = new Bytes[Pieces + 1];
        int at = 0;
        foreach (var layout in Kind == WorkloadKind.ClippedTraining ? Optimizer.Order.Reverse() : Optimizer.Order)
        {
            for (int i = 0; i < Optimizer.CountOf(layout); i++, at++)
            {
                before[at + 1] = before[at] + Optimizer.Of(layout, i).Size.Aligned;
            }
        }

        return before;
    }
}
