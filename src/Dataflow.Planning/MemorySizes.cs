using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// The memory of any residency of one workload, known without lowering it. What does not depend on the residency is looked up once, since a
/// search asks for thousands. The device figure is exact: <see cref="DevicePools"/> to the byte. The host figure is what the tenancy pass
/// will need or slightly more, never less, and feasibility is decided by it; tests hold both to the lowered plan.
/// </summary>
internal sealed class MemorySizes
{
    private readonly Workload workload;
    private readonly BlockPrograms programs;
    private readonly Geometry geometry;
    private readonly OptimizerPieces pieces;
    private readonly Bytes[] momentsBefore;
    private readonly Bytes?[] scratch = new Bytes?[(int)SaveSet.All + 1];
    private readonly Dictionary<(bool, int), Bytes[]> vocabulary = [];
    private readonly int layers;
    private readonly int chunks;
    private readonly bool clipped;
    private readonly Bytes weights;
    private readonly Bytes gradients;
    private readonly Bytes streams;

    public MemorySizes(Workload workload, BlockPrograms programs)
    {
        (this.workload, this.programs, geometry) = (workload, programs, workload.Geometry);
        (layers, chunks) = (workload.Model.LayerCount, geometry.ChunksPerRound);
        clipped = workload.Kind == WorkloadKind.ClippedTraining;
        pieces = new OptimizerPieces(workload, programs);
        momentsBefore = MomentsBefore();
        weights = programs.BlockLayout.Size(workload.Recipe.Parameters).Aligned;
        gradients = programs.BlockLayout.Size(workload.Recipe.Gradients).Aligned;
        streams = programs.StreamSize.Aligned;
    }

    /// <summary>The workload.</summary>
    public Workload Workload => workload;

    /// <summary>Its programs.</summary>
    public BlockPrograms Programs => programs;

    /// <summary>Pieces of optimizer state.</summary>
    public int Pieces => pieces.Total;

    /// <summary>Both memories of a residency.</summary>
    public Footprint Of(Residency residency)
    {
        var pattern = new SavePattern(workload.Model, geometry, workload.Kind, residency);
        var slots = SlotCounts.Of(workload, programs, pieces.Total, residency, pattern);
        return new Footprint(Device(residency, pattern, slots), Host(residency, pattern, slots));
    }

    /// <summary>No gradient outlives the layer that it is made in.</summary>
    private bool UsedAtOnce => geometry.Rounds == 1 && workload.Kind == WorkloadKind.Training;

    private Bytes Device(Residency residency, SavePattern pattern, in SlotCounts slots)
    {
        int windows = geometry.ChunksPerSegment(residency.WindowSegments);
        var size = Scratch(residency).Aligned + (programs.TableSize.Aligned * slots.Tables) + DevicePools.LossSize(geometry).Aligned
            + (clipped ? DevicePools.NormSize(workload.Model, programs).Aligned : Bytes.Zero);
        size += weights * slots.Weights;
        size += gradients * (residency.ResidentGradients + slots.Gradients);
        size += pieces.SlotSize.Aligned * (slots.ResidentMoments + slots.Moments);
        size += streams * (slots.Streams + slots.GradStreams);
        size += (programs.KvPieceSize * windows).Aligned * slots.Windows;
        size += (programs.GradKvPieceSize * windows).Aligned * slots.GradWindows;
        size += programs.Vocabulary.AreCut
            ? (programs.LogitStatisticsSize.Aligned * chunks) + (programs.GradHeadSize.Aligned * slots.GradHeads)
            : Bytes.Zero;
        size += programs.ActivationsSize(residency.ResidentSet).Aligned * slots.ResidentActivations;
        size += programs.ActivationsSize(pattern.Most).Aligned * slots.Activations;
        return size + Vocabulary(residency)[0];
    }

    private Bytes Host(Residency residency, SavePattern pattern, in SlotCounts slots)
    {
        var host = (programs.TableSize.Aligned * ((long)chunks * geometry.Rounds)) + DevicePools.LossSize(geometry).Aligned;
        host += clipped ? DevicePools.NormSize(workload.Model, programs).Aligned : Bytes.Zero;

        // A ring that turns around fetches its missing layers once each way: the first on the way back, the last on the way out.
        // A third pass, for updates that wait for the norm, fetches the others too; where rounds interleave they pass in pairs from both
        // ends.
        bool turn = !clipped && !pattern.Interleaves;
        host += weights * (turn ? Math.Min(layers, 2 * (layers - slots.Weights)) : slots.Weights < layers ? layers : 0);
        host += Vocabulary(residency)[1];
        host += Gradients(residency, slots);
        host +=
            slots.ResidentMoments + slots.Moments < pieces.Total && workload.Kind.Updates()
                ? momentsBefore[^1] - momentsBefore[residency.ResidentPieces]
                : Bytes.Zero;
        host +=
            streams
            * (
                pattern.Interleaves
                    ? TwoRounds(pattern.Travelling + chunks, layers + 1) + (SavePattern.RoundsEmbedded * chunks)
                    : ((layers + 1) * chunks) - StreamsKept(slots.Streams)
            );
        host += Activations(residency, pattern, slots);
        if (residency.WindowSegments > 1)
        {
            host += Footprint.Segments(workload, programs, residency, slots.Windows, slots.GradWindows);
        }
        else if (residency.Travelling.HasFlag(SaveSet.Kv))
        {
            host += (programs.KvPieceSize * geometry.ChunksPerGroup).Aligned
                * (pattern.Interleaves
                    ? TwoRounds(pattern.Travelling + geometry.ChunksPerGroup - 1, layers) / geometry.ChunksPerGroup
                    : Leaving(layers * geometry.GroupsPerRound, slots.Windows, geometry.GroupsPerRound));
        }

        host += streams * (slots.GradStreams < chunks ? chunks : 0);
        return host + (programs.GradHeadSize.Aligned * VocabularyMemory.GradHeadHomes(programs, chunks, slots.GradHeads));
    }

    private Bytes Scratch(Residency residency)
    {
        if (residency.WindowSegments > 1)
        {
            return DevicePools.ScratchSize(workload, programs, residency);
        }

        Bytes Of(SaveSet saved) =>
            scratch[(int)saved] ??= DevicePools.ScratchSize(
                workload,
                programs,
                residency with
                {
                    Travelling = saved,
                    MoreSixteenths = 0,
                    ResidentChunks = 0,
                }
            );
        var size = Of(residency.Travelling);
        size = residency.MoreSixteenths > 0 ? Bytes.Max(size, Of(residency.TravellingMore)) : size;
        return residency.ResidentChunks > 0 ? Bytes.Max(size, Of(residency.ResidentSet)) : size;
    }

    /// <summary>Device and host memory of embedding and head: parameters on both, and what gradients need at home.</summary>
    private Bytes[] Vocabulary(Residency residency)
    {
        var key = (residency.VocabularyResident, residency.VocabularySlots);
        if (!vocabulary.TryGetValue(key, out var found))
        {
            var recipe = workload.Recipe;
            var device = VocabularyMemory.Pools('W', recipe.Parameters, workload, programs, residency)
                .Concat(VocabularyMemory.Pools('G', recipe.Gradients, workload, programs, residency))
                .Aggregate(Bytes.Zero, (sum, p) => sum + (p.SlotLength.Aligned * p.SlotCount));
            vocabulary[key] = found = [
                device,
                VocabularyMemory.WeightHomes(workload, programs, residency),
                VocabularyMemory.GradientHomes(workload, programs, residency),
            ];
        }

        return found;
    }

    /// <summary>Forward needs the streams of the layer's remaining chunks and of the next layer's first ones at once.</summary>
    private int StreamsKept(int slots)
    {
        // Blocks of the vocabulary pass the chunks of the first and the last layer again and again: fewer slots than chunks keep none.
        return slots > chunks ? slots : geometry.GroupsPerRound == 1 && (slots == chunks || !programs.Vocabulary.AreCut) ? slots - 1 : 0;
    }

    /// <summary>
    /// Saved activations of the pairs that travel. Those of the last ones stay in the slots, where a layer's fit them; where all pairs
    /// share one pool, those that stay count as slots.
    /// </summary>
    private Bytes Activations(Residency residency, SavePattern pattern, in SlotCounts counts)
    {
        bool onePool = DevicePools.OnePool(residency);
        int slots = counts.Activations;
        int perTurn = geometry.GroupsPerRound == 1 ? 1 : chunks;
        int objects = pattern.Travelling + (onePool ? residency.ResidentChunks : 0);
        int stay = !pattern.Interleaves && slots >= Math.Min(perTurn, objects) ? slots : 0;
        var (pairs, more) = onePool ? (objects - stay, 0) : pattern.Homes(stay);
        return (programs.ActivationsSize(residency.Travelling).Aligned * (pairs - more))
            + (programs.ActivationsSize(pattern.Most).Aligned * more);
    }

    /// <summary>Homes of so many pairs at the beginning and, of the other round, at the end (<see cref="SavePattern.HomeOf"/>).</summary>
    private long TwoRounds(int pairs, int homeLayers) => Math.Min(2L * pairs, (homeLayers + 1L) * chunks);

    /// <summary>
    /// Objects that leave a pool in which the last ones produced are the first ones wanted back. Within a layer the groups come back in the
    /// order in which they went, so that fewer slots than a layer has objects save none.
    /// </summary>
    private static int Leaving(int objects, int slots, int perTurn) => slots >= Math.Min(perTurn, objects) ? objects - slots : objects;

    /// <summary>Gradients go home between rounds where slots are too few, and as results where they are what the step is for.</summary>
    private Bytes Gradients(Residency residency, in SlotCounts slots)
    {
        if (workload.Kind == WorkloadKind.Gradients)
        {
            return (gradients * layers) + VocabularyMemory.All(programs, workload.Recipe.Gradients);
        }

        var homes = Vocabulary(residency)[2];
        int ring = layers - residency.ResidentGradients;
        return UsedAtOnce ? homes : (gradients * (slots.Gradients < ring ? ring : 0)) + homes;
    }

    /// <summary>
    /// State of the first so many pieces: updates run head to embedding, or the other way round where all wait for the norm.
    /// </summary>
    private Bytes[] MomentsBefore()
    {
        var before = new Bytes[pieces.Total + 1];
        int at = 0;
        foreach (var (layout, copies) in clipped ? pieces.Order.Reverse() : pieces.Order)
        {
            for (int i = 0; i < pieces.CountOf(layout) * copies; i++, at++)
            {
                before[at + 1] = before[at] + pieces.Size(pieces.Elements(layout, i % pieces.CountOf(layout)).Count).Aligned;
            }
        }

        return before;
    }
}
