using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// The memory of a residency, known without lowering it: what the device's pools take, and the homes of everything that leaves them. The
/// device figure is exact. The host figure is what the tenancy pass will need or slightly more, never less, and feasibility is decided
/// by it; tests hold both to the lowered plan.
/// </summary>
internal sealed record Footprint(Bytes Device, Bytes Host)
{
    /// <summary>Within both budgets.</summary>
    public bool Fits(MemoryBudget budget) => Device <= budget.Device && Host <= budget.Host;

    public static Footprint Of(Workload workload, BlockPrograms programs, Residency residency)
    {
        var pools = DevicePools.Of(workload, programs, residency);
        var device = pools.Aggregate(Bytes.Zero, (sum, p) => sum + p.Total);
        int Slots(string name) => pools.FirstOrDefault(p => p.Name == name)?.SlotCount ?? 0;

        var (model, geometry, recipe) = (workload.Model, workload.Geometry, workload.Recipe);
        int layers = model.LayerCount, chunks = geometry.ChunksPerRound;
        var host = (geometry.TableSize.Aligned * ((long)chunks * geometry.Rounds)) + DevicePools.LossSize(geometry).Aligned;
        host += workload.Kind == WorkloadKind.ClippedTraining ? DevicePools.NormSize(model, programs).Aligned : Bytes.Zero;

        // A ring that turns around fetches its missing layers once each way: the first on the way back, the last on the way out.
        int weights = Slots(PoolNames.Weights);
        // A third pass, for updates that wait for the norm, fetches the others too; where rounds interleave they pass in pairs from both ends.
        var pattern = new SavePattern(model, geometry, workload.Kind, residency);
        bool turn = workload.Kind != WorkloadKind.ClippedTraining && !pattern.Interleaves;
        host += programs.BlockLayout.Size(recipe.Parameters).Aligned * (turn ? Math.Min(layers, 2 * (layers - weights)) : weights < layers ? layers : 0);
        host += VocabularyMemory.WeightHomes(workload, programs, residency);
        host += Gradients(workload, programs, residency, Slots(PoolNames.Gradients));
        host += Moments(workload, programs, residency, Slots(PoolNames.Moments));

        // Forward needs the streams of the layer's remaining chunks and of the next layer's first ones at once.
        int streams = Slots(PoolNames.Streams), allStreams = (layers + 1) * chunks;
        // Blocks of the vocabulary pass the chunks of the first and the last layer again and again: fewer slots than chunks keep none.
        int kept = streams > chunks ? streams : geometry.GroupsPerRound == 1 && (streams == chunks || !programs.Vocabulary.AreCut) ? streams - 1 : 0;
        host += programs.StreamSize.Aligned * (pattern.Interleaves ? TwoRoundsStreams(pattern, layers, chunks) : allStreams - kept);
        host += Activations(programs, geometry, residency, pattern, Slots(PoolNames.Activations));
        if (residency.WindowSegments > 1)
        {
            host += Segments(workload, programs, residency, Slots(PoolNames.Windows), Slots(PoolNames.GradWindows));
        }
        else if (residency.Travelling.HasFlag(TensorSet.Kv))
        {
            host += (programs.KvPieceSize * geometry.ChunksPerGroup).Aligned
                * (pattern.Interleaves
                    ? TwoRounds(pattern.Travelling + geometry.ChunksPerGroup - 1, layers, chunks) / geometry.ChunksPerGroup
                    : Travelling(layers * geometry.GroupsPerRound, Slots(PoolNames.Windows), geometry.GroupsPerRound));
        }

        host += programs.StreamSize.Aligned * (Slots(PoolNames.GradStreams) < chunks ? chunks : 0);
        host += programs.GradHeadSize.Aligned * VocabularyMemory.GradHeadHomes(programs, chunks, Slots(PoolNames.GradHeads));
        return new Footprint(device, host);
    }

    /// <summary>
    /// Objects that leave a pool in which the last ones produced are the first ones wanted back. Within a layer the groups come back in the
    /// order in which they went, so that fewer slots than a layer has objects save none.
    /// </summary>
    private static int Travelling(int objects, int slots, int perTurn) => slots >= Math.Min(perTurn, objects) ? objects - slots : objects;

    /// <summary>
    /// Saved activations of the pairs that travel. Those of the last ones stay in the slots, where a layer's fit them; where all pairs share one
    /// pool, those that stay count as slots.
    /// </summary>
    private static Bytes Activations(BlockPrograms programs, Geometry geometry, Residency residency, SavePattern pattern, int slots)
    {
        bool onePool = DevicePools.OnePool(residency);
        int perTurn = geometry.GroupsPerRound == 1 ? 1 : geometry.ChunksPerRound;
        int objects = pattern.Travelling + (onePool ? residency.ResidentChunks : 0);
        int stay = !pattern.Interleaves && slots >= Math.Min(perTurn, objects) ? slots : 0;
        var (pairs, more) = pattern.Homes(onePool ? Math.Max(0, stay - residency.ResidentChunks) : stay);
        var (less, most) = (programs.ActivationsSize(residency.Travelling).Aligned, programs.ActivationsSize(pattern.Most).Aligned);
        return (less * (pairs - more)) + (most * more);
    }

    /// <summary>Homes of so many pairs at the beginning and, of the other round, at the end (<see cref="SavePattern.HomeOf"/>).</summary>
    private static long TwoRounds(int pairs, int layers, int chunks) => Math.Min(2L * pairs, (layers + 1L) * chunks);

    private static long TwoRoundsStreams(SavePattern pattern, int layers, int chunks) => TwoRounds(pattern.Travelling + chunks, layers + 1, chunks) + (SavePattern.RoundsEmbedded * chunks);

    /// <summary>
    /// Segments of windows pass in order again and again: all travel, unless one window's fit together. Gradients of windows take turns in
    /// the homes of one.
    /// </summary>
    internal static Bytes Segments(Workload workload, BlockPrograms programs, Residency residency, int slots, int gradSlots)
    {
        var geometry = workload.Geometry;
        int windows = workload.Model.LayerCount * geometry.GroupsPerRound;
        int segments = residency.WindowSegments;
        int Chunks(int segment) => geometry.RowsOf(new Segment(segment, segments)) / geometry.ChunkTokens;
        Bytes First(int count, Bytes piece) =>
            Enumerable.Range(0, count).Aggregate(Bytes.Zero, (sum, i) => sum + (piece * Chunks(i)).Aligned);

        // The last window of the forward is the first of the backward where a round has but one.
        int stay = slots >= segments && geometry.GroupsPerRound == 1 ? 1 : 0;

        // A last segment of one chunk has had its use before another is wanted; the others may then be few enough to stay.
        int travel = gradSlots >= segments ? 0 : Chunks(segments - 1) > 1 ? segments : gradSlots == segments - 1 ? 1 : segments - 1;
        return (First(segments, programs.KvPieceSize) * (windows - stay)) + First(travel, programs.GradKvPieceSize);
    }

    /// <summary>Gradients go home between rounds where slots are too few, and as results where they are what the step is for.</summary>
    private static Bytes Gradients(Workload workload, BlockPrograms programs, Residency residency, int slots)
    {
        var type = workload.Recipe.Gradients;
        int layers = workload.Model.LayerCount;
        if (workload.Kind == WorkloadKind.Gradients)
        {
            return (programs.BlockLayout.Size(type).Aligned * layers) + VocabularyMemory.All(programs, type);
        }

        var vocabulary = VocabularyMemory.GradientHomes(workload, programs, residency);
        if (workload.Geometry.Rounds == 1 && workload.Kind == WorkloadKind.Training)
        {
            return vocabulary;
        }

        int ring = layers - residency.ResidentGradients;
        return (programs.BlockLayout.Size(type).Aligned * (slots < ring ? ring : 0)) + vocabulary;
    }

    private static Bytes Moments(Workload workload, BlockPrograms programs, Residency residency, int slots)
    {
        var pieces = new OptimizerPieces(workload, programs);
        if (!workload.Kind.Updates() || slots >= pieces.Total - residency.ResidentPieces)
        {
            return Bytes.Zero;
        }

        // Updates run head to embedding, or the other way round where all wait for the norm.
        var sum = Bytes.Zero;
        int before = 0;
        foreach (var (layout, copies) in workload.Kind == WorkloadKind.ClippedTraining ? pieces.Order.Reverse() : pieces.Order)
        {
            int count = pieces.CountOf(layout);
            int resident = Math.Clamp(residency.ResidentPieces - before, 0, count * copies);
            before += count * copies;
            var whole = Bytes.Zero;
            for (int p = 0; p < count; p++)
            {
                var size = pieces.Size(pieces.Elements(layout, p).Count).Aligned;
                whole += size;
                sum -= p < resident % count ? size : Bytes.Zero;
            }

            sum += whole * (copies - (resident / count));
        }

        return sum;
    }
}
