using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// The memory of a residency: what the device's pools take, and the homes of everything that leaves them (<see cref="MemorySizes"/>).
/// </summary>
internal sealed record Footprint(Bytes Device, Bytes Host)
{
    /// <summary>Within both budgets.</summary>
    public bool Fits(MemoryBudget budget) => Device <= budget.Device && Host <= budget.Host;

    /// <summary>Of a single residency.</summary>
    public static Footprint Of(Workload workload, BlockPrograms programs, Residency residency) =>
        new MemorySizes(workload, programs).Of(residency);

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
}
