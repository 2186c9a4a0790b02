using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>How long a step takes, as far as sums over its work can say.</summary>
/// <param name="Nanoseconds">The best guess.</param>
/// <param name="Bound">No schedule of this work is faster, as far as sums say; <see cref="StepEstimate.BoundOf"/> is sharper.</param>
internal readonly record struct StepTime(double Nanoseconds, double Bound);

/// <summary>
/// The time of a step from what its rounds compute and copy, without an order of ops: what each pass computes, and what crosses the link in
/// it in each direction. A pass takes as long as the slowest of the three, a little more where two are close, since then one now and then
/// waits for the other. Whatever travels crosses the nearest link; a slower one beyond it is not looked at. Only the order in which plans
/// are tried rests on the guess; what is left out is left out by the bound.
/// </summary>
internal sealed class StepEstimate
{
    // What a bound must not count: bytes that slots hold over the border of two passes, and rounding.
    private const double Slack = 0.95;

    // What simulations of such plans came to on an H100 for 32b at 65,536 tokens, where they are at their best: 1.2 to 1.3 of what passes
    // alone take.
    private const double TravellingStreams = 1.25;

    // Whole chunks keep more or less, layer by layer: in a pass the shares are met nearly.
    private const double Shares = 0.97;
    private readonly Workload workload;
    private readonly Geometry geometry;
    private readonly BlockPrograms programs;
    private readonly CostModel machine;
    private readonly OptimizerPieces pieces;
    private readonly int layers;
    private readonly int chunks;
    private readonly int positions;
    private readonly int[] layersOf;
    private readonly int below;
    private readonly int back;
    private readonly int[] backOf;
    private readonly int windowLayers; // with a backward, and keys and values of their own
    private readonly int withGradients;
    private readonly double[][] forward;
    private readonly double[]?[][] backward;
    private readonly double?[] saved = new double?[(int)SaveSet.All + 1];
    private readonly double forwards;
    private readonly double block;
    private readonly double trained;
    private readonly double blockGradients;
    private readonly double window;
    private readonly SegmentTraffic segments;
    private readonly SegmentTraffic backSegments;
    private readonly double ends;
    private readonly double update;
    private readonly double state;
    private readonly (double Alone, double Both) toDevice;
    private readonly (double Alone, double Both) toHost;

    public StepEstimate(Workload workload, BlockPrograms programs, CostModel machine)
    {
        (this.workload, this.programs, this.machine, geometry) = (workload, programs, machine, workload.Geometry);
        (layers, chunks, positions) = (workload.Model.LayerCount, geometry.ChunksPerRound, geometry.ChunksPerGroup);
        pieces = new OptimizerPieces(workload, programs);
        below = workload.Kind.HasBackward() ? workload.Model.LayersWithoutBackward : 0;
        back = layers - below;
        int[] Count(int first) =>
            [.. programs.Kinds.Select((_, kind) => workload.Model.Layers.Skip(first).Count(l => programs.KindIndex(l) == kind))];
        (layersOf, backOf) = (Count(0), Count(below));
        windowLayers = workload.Model.Layers.Skip(below).Count(l => workload.Model.KindOf(l).HasWindow);
        withGradients = workload.Model.Layers.Count(l => programs[l].Parts.Any(p => p.IsTrained));
        forward = [.. programs.Kinds.Select(k => Times(k.Forward(SaveSet.All)))];
        backward = [.. programs.Kinds.Select(_ => new double[]?[(int)SaveSet.All + 1])];
        ends = Ends();
        var recipe = workload.Recipe;
        forwards = Over(layersOf, k => forward[k].Sum()) * geometry.GroupsPerRound;
        block = Mean(p => Sum(p, p.WeightsSize));
        trained = Mean(p => Sum(p, i => p.Parts[i].IsTrained ? p.WeightsSize(i) : Bytes.Zero));
        blockGradients = Over(layersOf, k => Sum(programs.Kinds[k], programs.Kinds[k].GradientsSize).Value) / Math.Max(1, withGradients);
        window = MeanOfBack(p => p.KvPieceSize) * chunks * back;
        (segments, backSegments) = (new SegmentTraffic(programs, geometry, layersOf), new SegmentTraffic(programs, geometry, backOf));
        double parameters = workload.Model.TrainedParameterCount;
        state = workload.Optimizer.StateSize(workload.Model, recipe).Value;
        double moved = (parameters * (recipe.Gradients.Size() + (2 * recipe.Parameters.Size()))) + (2 * state);
        update =
            !workload.Kind.Updates() ? 0
            : workload.Optimizer.IsElementwise
                ? 1e9 * machine.Seconds(Kernel.Update, KernelWork.Memory(moved / pieces.Total)) * pieces.Total
            : 1e9 * pieces.Seconds(new UpdateWork(workload, programs), machine);

        double host = machine.Links.HostMemory;
        var (inbound, outbound) = (Link(LinkDirection.HostToDevice), Link(LinkDirection.DeviceToHost));
        double share = Math.Min(1, host / (inbound.BothBusy + outbound.BothBusy));
        LinkRate Link(LinkDirection d) => machine.Links.Links[d.Index];
        (double, double) Rate(LinkRate link) => (Math.Min(link.Alone, host), link.BothBusy * share);
        Bytes Sum(LayerPrograms of, Func<int, Bytes> size) =>
            Enumerable.Range(0, of.Parts.Length).Aggregate(Bytes.Zero, (sum, p) => sum + size(p));
        (toDevice, toHost) = (Rate(inbound), Rate(outbound));
        Floor =
            (geometry.Rounds * (((Over(layersOf, k => forward[k].Sum()) + Over(backOf, k => Backward(k, SaveSet.All).Sum()))
                * geometry.GroupsPerRound) + ends))
            + update
            - Rounding;
    }

    /// <summary>
    /// Nanoseconds of a step in which nothing is repeated and nothing waits: no plan of this geometry is faster, whole nanoseconds and all.
    /// </summary>
    public double Floor { get; }

    /// <summary>
    /// A residency's step. Sums go by what a layer has in the mean: where layers keep as different things as keys and values and states,
    /// those that stay may be the largest, and no such sum bounds what the others take.
    /// </summary>
    public StepTime Of(Residency r) => workload.Model.HasStates ? ByMeans(r) with { Bound = Floor } : ByMeans(r);

    // What does not depend on the residency is looked up, for a search asks for thousands.
    private StepTime ByMeans(Residency r)
    {
        int rounds = geometry.Rounds, pairs = back * chunks, travelling = pairs - r.ResidentChunks;
        double more = r.MoreSixteenths / 16.0;
        var keepMore = r.MoreSixteenths > 0 ? r.TravellingMore : r.Travelling;

        // Compute: of all positions of a sequence, the last ones keep more.
        double away = pairs == 0 ? 0 : (double)travelling / pairs;
        double backwards = Backwards(away, r, r.Travelling, keepMore, more);
        double lastBackwards = r.LastRoundKeepsLess ? Backwards(away, r, r.Travelling, r.Travelling, 0) : backwards;

        // Copies of a round.
        double weights = Math.Max(0, layers - r.WeightSlots) * block, backWeights = Math.Max(0, back - r.WeightSlots) * block;
        bool accumulates = rounds > 1 || workload.Kind == WorkloadKind.ClippedTraining;
        int ring = withGradients - r.ResidentGradients;
        double gradients = accumulates && ring > r.GradientSlots ? ring * blockGradients : 0;
        double saved = ((1 - more) * Saved(r.Travelling)) + (more * Saved(keepMore));
        int windowPairs = windowLayers * chunks;
        double windows = r.Travelling.HasFlag(SaveSet.Kv) && windowPairs > 0 ? window / windowPairs : 0;
        int windowsKept = (r.WindowSlots * positions) + r.ResidentChunks;
        double activations = (travelling * (saved + programs.StreamSize.Value)) + (Math.Max(0, windowPairs - windowsKept) * windows);

        // Where a pass turns around, or a round is small, slots keep some of it.
        double kept =
            activations
            - (Math.Max(0, travelling - r.ActivationSlots) * saved)
            - (Math.Max(0, travelling - r.StreamSlots) * (double)programs.StreamSize.Value)
            - (Math.Max(0, windowPairs - windowsKept) * windows);
        double Streamed(SegmentTraffic of) => r.WindowSegments > 1 ? of.Bytes(r.WindowSegments, r.WindowSlots) : 0;
        double segments = Streamed(this.segments), backSegments = Streamed(this.backSegments);
        bool gradStreams = r.GradStreamSlots < chunks;
        double streams =
            (gradStreams ? (double)pairs * programs.StreamSize.Value : 0)
            + (r.StreamSlots < chunks ? (double)pairs * programs.StreamSize.Value : 0);
        var (table, tableGradients) = Vocabulary(r);

        double forwardIn = weights + segments + (table / 2), forwardOut = activations;
        double backwardIn =
            backWeights + gradients + activations + (2 * backSegments) + (table / 2) + (accumulates ? tableGradients : 0) + streams;
        double backwardOut = gradients + (accumulates ? tableGradients : 0) + streams + backSegments;

        // Once a step.
        double moments = 0, written = 0;
        if (workload.Kind.Updates())
        {
            moments = pieces.Total - r.ResidentPieces > r.OptimizerSlots ? state * (pieces.Total - r.ResidentPieces) / pieces.Total : 0;
            written = (weights > 0 ? layers * trained : 0) + table;
        }

        // The last round's gradients are used, not saved; the first round's are not fetched.
        double lastOut = backwardOut - gradients - (accumulates ? tableGradients : 0) + moments + written;
        double lastIn = backwardIn + moments;
        double half = ends / 2;
        var f = new Pass(forwards + half, forwardIn, forwardOut);
        var b = new Pass(backwards + half, backwardIn, backwardOut);
        var last = new Pass(lastBackwards + half + update, lastIn, lastOut);
        bool bare = r.StreamSlots < 3 || r.OptimizerSlots < 2;

        // Streams that travel within a pass come back for the next layer: compute waits for what it has only just made.
        double late = r.StreamSlots < chunks ? TravellingStreams : 1;
        double compute = (rounds * f.Compute) + ((rounds - 1) * b.Compute) + last.Compute;
        double total = Math.Max(compute * Shares, Math.Max(
            Slack * ((rounds * (f.In + b.In - kept)) - gradients + moments) / toDevice.Alone,
            Slack * ((rounds * (f.Out - kept)) + ((rounds - 1) * b.Out) + last.Out) / toHost.Alone));
        if (r.ActivationSlots == 1)
        {
            // One slot: each save ends before the next forward begins, each fetch begins when the backward before it has ended.
            total = Math.Max(
                total,
                (compute * Shares) + (Slack * rounds * Math.Max(0, travelling - 1) * saved * ((1 / toHost.Alone) + (1 / toDevice.Alone)))
            );
        }

        if (bare)
        {
            return new StepTime(late * ((rounds * Serial(f)) + ((rounds - 1) * Serial(b)) + Serial(last)), total);
        }

        if (r.Interleaved && rounds > 1)
        {
            var both = new Pass(f.Compute + b.Compute, f.In + b.In, f.Out + b.Out);
            return new StepTime(Likely(f) + ((rounds - 1) * Likely(both)) + Likely(last), total);
        }

        double likely = late * ((rounds * Likely(f)) + ((rounds - 1) * Likely(b)) + Likely(last));
        f = f with { Out = f.Out - kept };
        b = b with { In = b.In - kept };
        double phases = (rounds * Least(f)) + ((rounds - 1) * Least(b)) + Math.Max(Least(last with { In = 0, Out = 0 }), Least(b));
        return new StepTime(likely, Math.Max(total, phases));
    }

    /// <summary>No schedule of a residency's step is faster: what it computes, pair by pair, or its link's bound.</summary>
    public double BoundOf(Residency residency)
    {
        var pattern = new SavePattern(workload.Model, geometry, workload.Kind, residency);
        double OfRound(Round round)
        {
            double sum = 0;
            for (int l = below; l < layers; l++)
            {
                for (int c = 0; c < chunks; c++)
                {
                    var layer = new Layer(l);
                    sum += Backward(programs.KindIndex(layer), pattern.Saved(layer, new Chunk(c), round))[c % positions];
                }
            }

            return sum;
        }

        int last = geometry.Rounds - 1;
        double compute =
            update
            + (geometry.Rounds * (forwards + ends))
            + OfRound(new Round(last))
            + (last > 0 ? last * OfRound(new Round(0)) : 0);
        return Math.Max(compute - Rounding, Of(residency).Bound);
    }

    /// <summary>
    /// Ops take whole nanoseconds, so that each may be half a one shorter than what it computes: four a pair, as many a block of the
    /// vocabulary, and updates.
    /// </summary>
    private double Rounding => 0.5 * ((4.0 * geometry.Rounds * chunks * (layers + 1 + programs.Vocabulary.Count)) + pieces.Total);

    private readonly record struct Pass(double Compute, double In, double Out);

    private double Serial(Pass p) => p.Compute + (p.In / toDevice.Alone) + (p.Out / toHost.Alone);

    private double Least(Pass p) => Math.Max(p.Compute * Shares, Slack * Math.Max(p.In / toDevice.Alone, p.Out / toHost.Alone));

    /// <summary>The largest of three, more by up to a fourteenth if they are alike: the norm of order 16.</summary>
    private double Likely(Pass p)
    {
        double i = p.In / toDevice.Both,
            o = p.Out / toHost.Both,
            largest = Math.Max(p.Compute, Math.Max(i, o));
        return largest
            * Math.Sqrt(Math.Sqrt(Math.Sqrt(Math.Sqrt(Sixteenth(p.Compute / largest) + Sixteenth(i / largest) + Sixteenth(o / largest)))));
    }

    private static double Sixteenth(double x)
    {
        double two = x * x, four = two * two, eight = four * four;
        return eight * eight;
    }

    /// <summary>A sequence's sum where the last positions, that share of all, have the second of two times.</summary>
    private double Mixed(double[] less, double[] more, double share)
    {
        double sum = 0, from = positions * (1 - share);
        for (int p = 0; p < positions; p++)
        {
            double of = Math.Clamp(p + 1 - from, 0, 1);
            sum += ((1 - of) * less[p]) + (of * more[p]);
        }

        return sum;
    }

    /// <summary>
    /// Backwards of a round: of pairs that stay with what they keep, of those that are away with the one set or, in that share of
    /// positions, the other.
    /// </summary>
    private double Backwards(double away, Residency r, SaveSet less, SaveSet more, double share)
    {
        double sum = 0;
        for (int kind = 0; kind < layersOf.Length; kind++)
        {
            double travels = share == 0 ? Backward(kind, less).Sum() : Mixed(Backward(kind, less), Backward(kind, more), share);
            sum += backOf[kind] * geometry.GroupsPerRound * (((1 - away) * Backward(kind, r.ResidentSet).Sum()) + (away * travels));
        }

        return sum;
    }

    /// <summary>Bytes of a chunk's activations in a layer, in the mean of all.</summary>
    private double Saved(SaveSet set) => saved[(int)set] ?? MeanSaved(set);

    private double MeanSaved(SaveSet set)
    {
        double mean = MeanOfBack(p => p.ActivationsSize(set));
        saved[(int)set] = mean;
        return mean;
    }

    /// <summary>A sum over so many layers of each kind of what one of them comes to.</summary>
    private static double Over(int[] layersOf, Func<int, double> ofKind)
    {
        double sum = 0;
        for (int kind = 0; kind < layersOf.Length; kind++)
        {
            sum += layersOf[kind] == 0 ? 0 : layersOf[kind] * ofKind(kind);
        }

        return sum;
    }

    /// <summary>What a layer has of something, in the mean of all.</summary>
    private double Mean(Func<LayerPrograms, Bytes> of) => Over(layersOf, k => of(programs.Kinds[k]).Value) / layers;

    /// <summary>The same of those that a backward passes.</summary>
    private double MeanOfBack(Func<LayerPrograms, Bytes> of) => Over(backOf, k => of(programs.Kinds[k]).Value) / Math.Max(1, back);

    /// <summary>Backward of each position of a sequence with what has to be repeated for it, in layers of one kind.</summary>
    private double[] Backward(int kind, SaveSet saved)
    {
        if (backward[kind][(int)saved] is { } known)
        {
            return known;
        }

        var of = programs.Kinds[kind];
        double[] times = Times(of.Backward(saved));
        void Add(BlockProgram program)
        {
            double[] more = Times(program);
            for (int p = 0; p < positions; p++)
            {
                times[p] += more[p];
            }
        }

        if (of.NeedsRecompute(saved))
        {
            Add(of.Recompute(saved));
        }

        if (positions > 1 && !saved.HasFlag(SaveSet.Kv) && of.Kind is { KeepsKv: false, HasWindow: true })
        {
            Add(of.RecomputeKv());
        }

        return backward[kind][(int)saved] = times;
    }

    private double[] Times(BlockProgram program)
    {
        var times = new double[positions];
        foreach (var call in program.Calls)
        {
            bool attends = KernelWork.ClassOf(call.Kernel) is KernelClass.AttentionForward or KernelClass.AttentionBackward;
            double same = attends ? 0 : Nanoseconds(call, program, new Chunk(0));
            for (int p = 0; p < positions; p++)
            {
                times[p] += attends ? Nanoseconds(call, program, new Chunk(p)) : same;
            }
        }

        return times;
    }

    private double Nanoseconds(KernelCall call, BlockProgram program, Chunk chunk) =>
        1e9 * machine.Seconds(call.Kernel, KernelWork.Of(call, program, workload.Model, geometry, chunk));

    /// <summary>Head and embedding of a round.</summary>
    private double Ends()
    {
        double All(BlockProgram p) => p.Calls.Sum(c => Nanoseconds(c, p, new Chunk(0)) * p.TimesOf(c, geometry));
        bool trains = workload.Model.TrainsEmbedding;
        double sum = programs.EmbeddingBlocks.Sum(b => All(programs.Embed(b)) + (trains ? All(programs.EmbedBackward(b)) : 0));
        sum += programs.Vocabulary.AreCut
            ? programs.Vocabulary.Blocks.Sum(b => All(programs.HeadLoss(b)) + All(programs.HeadBackward(b)))
            : All(programs.Head());
        return chunks * sum;
    }

    /// <summary>Bytes of embedding's and head's parameters that come in a round, and of their gradients that go and come.</summary>
    private (double Weights, double Gradients) Vocabulary(Residency r)
    {
        if (r.VocabularyResident || (workload.Model.TiedEmbedding && !programs.Vocabulary.AreCut))
        {
            return (0, 0);
        }

        double rows = 2.0 * workload.Model.VocabSize * workload.Model.ModelDim;
        double passes = programs.Vocabulary.AreCut ? 1.5 : 1;
        double inputs = programs.Vocabulary.AreCut ? (double)workload.Model.VocabSize * workload.Model.LayerInputsDim : 0;
        double matrices = (workload.Model.TrainsEmbedding ? 0.5 : 0) + (workload.Model.Trains(workload.Model.HeadMatrix) ? 0.5 : 0);
        double gradients = (matrices * rows) + (workload.Model.TrainsEmbedding ? inputs : 0);
        return (((passes * rows) + inputs) * workload.Recipe.Parameters.Size(), gradients * workload.Recipe.Gradients.Size());
    }
}
