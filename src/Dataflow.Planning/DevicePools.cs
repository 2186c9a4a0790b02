using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

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

    /// <summary>
    /// What a pool holds, for people: as <see cref="ShownNames.KindOf"/> names objects, but embedding and head apart from layers.
    /// </summary>
    public static string KindOf(string pool)
    {
        string[] parts = pool.Split('.');
        bool vocabulary = parts is [_, "vocabulary" or "embed" or "head"];
        return (vocabulary ? "vocabulary " : "") + ShownNames.KindOf(parts[0]);
    }
}

/// <summary>Every pool of a residency with its slots: the device's memory, to the byte, before anything is lowered.</summary>
internal static class DevicePools
{
    /// <summary>Pools with at least one slot, in the order in which they lie in the arena.</summary>
    public static ImmutableArray<Pool> Of(Workload workload, BlockPrograms programs, Residency residency)
    {
        var (model, geometry, recipe) = (workload.Model, workload.Geometry, workload.Recipe);
        var pattern = new SavePattern(model, geometry, workload.Kind, residency);
        var pieces = new OptimizerPieces(workload, programs);
        var slots = SlotCounts.Of(workload, programs, pieces.Total, residency, pattern);
        int segments = residency.WindowSegments;
        int windows = geometry.ChunksPerSegment(segments);

        // Chunk after chunk, segments pass in the same order again and again.
        var inTurn = segments == 1 ? Replacement.FarthestUse : Replacement.LongestIdle;
        var pools = new List<Pool>
        {
            new(PoolNames.Scratch, ScratchSize(workload, programs, residency), 1),
            new(PoolNames.Tables, programs.TableSize, slots.Tables),
            new(PoolNames.Loss, LossSize(geometry), 1),
            new(PoolNames.Norm, NormSize(model, programs), workload.Kind == WorkloadKind.ClippedTraining ? 1 : 0),
            new(PoolNames.Weights, programs.BlockLayout.Size(recipe.Parameters), slots.Weights),
            new(PoolNames.ResidentGradients, programs.BlockLayout.Size(recipe.Gradients), residency.ResidentGradients),
            new(
                PoolNames.Gradients,
                programs.BlockLayout.Size(recipe.Gradients),
                slots.Gradients,
                residency.GradientsRotate ? Replacement.Rotation : Replacement.LongestIdle
            ),
            new(PoolNames.ResidentMoments, pieces.SlotSize, slots.ResidentMoments),
            new(PoolNames.Moments, pieces.SlotSize, slots.Moments, Replacement.LongestIdle),
            new(PoolNames.Streams, programs.StreamSize, slots.Streams),
            new(PoolNames.Windows, programs.KvPieceSize * windows, slots.Windows, inTurn),
            new(PoolNames.GradWindows, programs.GradKvPieceSize * windows, slots.GradWindows, inTurn),
            new(PoolNames.GradStreams, programs.StreamSize, slots.GradStreams, Replacement.LongestIdle),
        };
        if (programs.Vocabulary.AreCut)
        {
            pools.Add(new Pool(PoolNames.LogitStatistics, programs.LogitStatisticsSize, geometry.ChunksPerRound));
            pools.Add(new Pool(PoolNames.GradHeads, programs.GradHeadSize, slots.GradHeads, Replacement.LongestIdle));
        }

        pools.Add(new Pool(PoolNames.ResidentActivations, programs.ActivationsSize(residency.ResidentSet), slots.ResidentActivations));
        pools.Add(new Pool(PoolNames.Activations, programs.ActivationsSize(pattern.Most), slots.Activations));
        pools.AddRange(VocabularyMemory.Pools('W', recipe.Parameters, workload, programs, residency));
        pools.AddRange(VocabularyMemory.Pools('G', recipe.Gradients, workload, programs, residency));
        return
        [
            .. pools.Where(p => p.SlotCount > 0 && p.SlotLength > Bytes.Zero).Select(p => p with { SlotLength = p.SlotLength.Aligned }),
        ];
    }

    /// <summary>Activations that travel and those that stay are alike and share their slots.</summary>
    public static bool OnePool(Residency residency) =>
        residency.Travelling == residency.ResidentSet
        && residency.MoreSixteenths == 0
        && !residency.Interleaved
        && !residency.ResidentsSpread;

    /// <summary>Bytes of the losses of a step: one fp32 for every chunk.</summary>
    public static Bytes LossSize(Geometry geometry) => new(4L * geometry.ChunksPerRound * geometry.Rounds);

    /// <summary>Bytes of the sums of squares: one fp64 for every parameter object.</summary>
    public static Bytes NormSize(ModelConfig model, BlockPrograms programs) => new(8L * ParameterOwners.Count(model, programs));

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
}
