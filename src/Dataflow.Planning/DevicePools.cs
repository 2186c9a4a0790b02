using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>The pools of the device by name.</summary>
internal static class PoolNames
{
    public const string Tables = "T";
    public const string Weights = "W";
    public const string Gradients = "G";
    public const string ResidentGradients = "G.resident";
    public const string Moments = "O";
    public const string ResidentMoments = "O.resident";
    public const string Streams = "X";
    public const string Activations = "A";
    public const string ResidentActivations = "A.resident";
    public const string Windows = "KV";
    public const string GradWindows = "dKV";
    public const string GradStreams = "dX";
    public const string GradHeads = "dH";
    public const string LogitStatistics = "stats";
    public const string Scratch = "scratch";
    public const string Loss = "loss";
    public const string Norm = "norm";

    /// <summary>Embedding and head: "W.vocabulary" shared by both, or one of each.</summary>
    public static string Vocabulary(char what, bool apart, string which) => apart ? $"{what}.{which}" : $"{what}.vocabulary";

    /// <summary>What a pool holds, for people: as <see cref="PlanTraffic.KindOf"/> names objects, but embedding and head apart from layers.</summary>
    public static string KindOf(string pool)
    {
        string[] parts = pool.Split('.');
        bool vocabulary = parts is [_, "vocabulary" or "embed" or "head"];
        return (vocabulary ? "vocabulary " : "") + PlanTraffic.KindOf(parts[0]);
    }
}

/// <summary>Every pool of a residency with its slots: the device's memory, to the byte, before anything is lowered.</summary>
internal static class DevicePools
{
    /// <summary>Pools with at least one slot, in the order in which they lie in the arena.</summary>
    public static ImmutableArray<Pool> Of(Workload workload, BlockPrograms programs, Residency residency)
    {
        var (model, geometry, recipe) = (workload.Model, workload.Geometry, workload.Recipe);
        bool training = workload.Kind.Updates();
        bool clipped = workload.Kind == WorkloadKind.ClippedTraining;
        int layers = model.LayerCount, chunks = geometry.ChunksPerRound;
        int groups = layers * geometry.GroupsPerRound;
        int resident = residency.ResidentChunks;
        var pattern = new SavePattern(model, geometry, workload.Kind, residency);
        int alive = pattern.Interleaves ? 2 : 1;
        var pieces = new OptimizerPieces(workload, programs);
        int segments = residency.WindowSegments;
        int windows = geometry.ChunksPerSegment(segments);

        // Chunk after chunk, segments pass in the same order again and again.
        var inTurn = segments == 1 ? Replacement.FarthestUse : Replacement.LongestIdle;
        var pools = new List<Pool>
        {
            new(PoolNames.Scratch, ScratchSize(workload, programs, residency), 1),
            new(PoolNames.Tables, geometry.TableSize, Math.Min(alive * alive, geometry.Rounds) * chunks),
            new(PoolNames.Loss, LossSize(geometry), 1),
            new(PoolNames.Norm, NormSize(model, programs), clipped ? 1 : 0),
            new(PoolNames.Weights, programs.BlockLayout.Size(recipe.Parameters), Math.Min(residency.WeightSlots, layers)),
            new(PoolNames.ResidentGradients, programs.BlockLayout.Size(recipe.Gradients), residency.ResidentGradients),
            new(PoolNames.Gradients, programs.BlockLayout.Size(recipe.Gradients), Math.Min(residency.GradientSlots, layers - residency.ResidentGradients), residency.GradientsRotate ? Replacement.Rotation : Replacement.LongestIdle),
            new(PoolNames.ResidentMoments, pieces.SlotSize, training ? residency.ResidentPieces : 0),
            new(PoolNames.Moments, pieces.SlotSize, training ? Math.Min(residency.OptimizerSlots, pieces.Total - residency.ResidentPieces) : 0, Replacement.LongestIdle),
            new(PoolNames.Streams, programs.StreamSize, Math.Min(residency.StreamSlots + resident, (layers + 1) * chunks * alive)),
            new(PoolNames.Windows, programs.KvPieceSize * windows, Math.Min(residency.WindowSlots + (resident / geometry.ChunksPerGroup), groups * segments * alive), inTurn),
            new(PoolNames.GradWindows, programs.GradKvPieceSize * windows, segments == 1 ? 1 : Math.Min(residency.WindowSlots, segments), inTurn),
            new(PoolNames.GradStreams, programs.StreamSize, Math.Min(residency.GradStreamSlots, alive * chunks), Replacement.LongestIdle),
        };
        if (programs.Vocabulary.AreCut)
        {
            pools.Add(new Pool(PoolNames.LogitStatistics, programs.LogitStatisticsSize, chunks));
            pools.Add(new Pool(PoolNames.GradHeads, programs.GradHeadSize, workload.Kind.HasBackward() ? Math.Min(residency.GradStreamSlots, chunks) : 0, Replacement.LongestIdle));
        }

        AddActivations(pools, programs, residency, pattern);
        pools.AddRange(VocabularyMemory.Pools('W', recipe.Parameters, workload, programs, residency));
        pools.AddRange(VocabularyMemory.Pools('G', recipe.Gradients, workload, programs, residency));
        return [.. pools.Where(p => p.SlotCount > 0 && p.SlotLength > Bytes.Zero).Select(p => p with { SlotLength = p.SlotLength.Aligned })];
    }

    /// <summary>Activations that travel and those that stay are alike and share their slots.</summary>
    public static bool OnePool(Residency residency) => residency.Travelling == residency.ResidentSet && residency.MoreSixteenths == 0 && !residency.Interleaved && !residency.ResidentsSpread;

    /// <summary>Bytes of the losses of a step: one fp32 for every chunk.</summary>
    public static Bytes LossSize(Geometry geometry) => new(4L * geometry.ChunksPerRound * geometry.Rounds);

    /// <summary>Bytes of the sums of squares: one fp64 for every parameter object.</summary>
    public static Bytes NormSize(ModelConfig model, BlockPrograms programs) => new(8L * ParameterOwner.Count(model, programs));

    /// <summary>Bytes of scratch: the most that any op needs.</summary>
    public static Bytes ScratchSize(Workload workload, BlockPrograms programs, Residency residency)
    {
        var first = new VocabularyBlock(0);
        var head = programs.Vocabulary.AreCut
            ? Bytes.Max(programs.HeadLoss(first).ScratchLength, programs.HeadBackward(first).ScratchLength)
            : programs.Head().ScratchLength;
        if (workload.Kind == WorkloadKind.ClippedTraining)
        {
            head = Bytes.Max(head, programs.NormScratch);
        }

        if (residency.WindowSegments > 1)
        {
            var (forward, backward) = (programs.Combine(residency.Travelling), programs.CombineBackward(residency.Travelling));
            return Bytes.Max(head, Bytes.Max(forward.ScratchLength, backward.ScratchLength));
        }

        var size = Bytes.Max(head, programs.RecomputeKv().ScratchLength);
        foreach (var saved in new SavePattern(workload.Model, workload.Geometry, workload.Kind, residency).Sets)
        {
            size = Bytes.Max(size, Bytes.Max(programs.Forward(saved).ScratchLength, programs.Backward(saved).ScratchLength));
        }

        return size;
    }

    private static void AddActivations(List<Pool> pools, BlockPrograms programs, Residency residency, SavePattern pattern)
    {
        var (whole, most) = (programs.ActivationsSize(residency.ResidentSet), programs.ActivationsSize(pattern.Most));
        int resident = residency.ResidentChunks, travelling = pattern.Travelling;
        if (OnePool(residency))
        {
            pools.Add(new Pool(PoolNames.Activations, whole, Math.Min(residency.ActivationSlots + resident, travelling + resident)));
            return;
        }

        pools.Add(new Pool(PoolNames.ResidentActivations, whole, resident));
        pools.Add(new Pool(PoolNames.Activations, most, Math.Min(residency.ActivationSlots, travelling)));
    }
}
