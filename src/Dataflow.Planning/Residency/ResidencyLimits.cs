using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// What a <see cref="Residency"/> that was read from a file may hold before anything is made of it: counts that are none, or beyond the
/// objects there are, would be looped over.
/// </summary>
internal static class ResidencyLimits
{
    /// <summary>What is wrong, as a phrase for a message; null if nothing is.</summary>
    public static string? Fault(Workload workload, Residency r)
    {
        int layers = workload.Model.LayerCount;
        int pairs = checked((layers - workload.Model.LayersWithoutBackward) * workload.Geometry.ChunksPerRound);
        const int slots = GeometryLimits.Count;
        return Outside("travelling", (int)r.Travelling, 0, (int)SaveSet.All)
            ?? Outside("travelling more", (int)r.TravellingMore, 0, (int)SaveSet.All)
            ?? Outside("resident set", (int)r.ResidentSet, 0, (int)SaveSet.All)
            ?? Outside("more sixteenths", r.MoreSixteenths, 0, 16)
            ?? Outside("resident chunks", r.ResidentChunks, 0, pairs)
            ?? Outside("resident gradients", r.ResidentGradients, 0, layers)
            ?? Outside("resident pieces", r.ResidentPieces, 0, slots)
            ?? Outside("weight slots", r.WeightSlots, 1, slots)
            ?? Outside("gradient slots", r.GradientSlots, 0, slots)
            ?? Outside("optimizer slots", r.OptimizerSlots, 0, slots)
            ?? Outside("vocabulary slots", r.VocabularySlots, 1, slots)
            ?? Outside("stream slots", r.StreamSlots, 0, slots)
            ?? Outside("activation slots", r.ActivationSlots, 0, slots)
            ?? Outside("window slots", r.WindowSlots, 0, slots)
            ?? Outside("gradient stream slots", r.GradStreamSlots, 0, slots)
            ?? Outside("window segments", r.WindowSegments, 1, workload.Geometry.ChunksPerGroup);
    }

    private static string? Outside(string name, int value, int least, int most) =>
        value < least || value > most ? $"{name} must be from {least} to {most}, found {value}" : null;
}
