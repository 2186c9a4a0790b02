using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// How many segments a context window may be streamed by: powers of two, as long as the schedule stays within what planning and
/// launching take easily. Segments begin at multiples of 128 rows, where the tensor-core kernels cut keys. A function of model, geometry
/// and save set, never of budgets.
/// </summary>
internal static class SegmentRule
{
    private const long MostAttentionOps = 60_000;
    /// <summary>Rows at whose multiples segments begin.</summary>
    public const int KeyRows = 128;

    /// <summary>Fewest first; none where the window is one chunk's, the save set would make a backward repeat attention, or layers
    /// share windows.</summary>
    public static IEnumerable<int> Counts(Workload workload, SaveSet saved, int keyRows = KeyRows)
    {
        var geometry = workload.Geometry;
        if (geometry.ChunksPerGroup == 1 || !LayerPrograms.MayStream(saved) || !workload.Model.MayStreamWindows)
        {
            yield break;
        }

        int last = 1;
        for (int wanted = 2; wanted <= geometry.ChunksPerGroup; wanted *= 2)
        {
            if (wanted > 2 && AttentionOps(workload, wanted) > MostAttentionOps)
            {
                yield break;
            }

            int count = geometry.SegmentsUpTo(wanted);
            if (count > last && geometry.FirstRow(new Segment(1, count)) % keyRows == 0)
            {
                yield return last = count;
            }
        }
    }

    /// <summary>
    /// Chunks see half of the segments on average, once forward and once backward; in a layer with an attention window those that it
    /// reaches into, and their own.
    /// </summary>
    private static long AttentionOps(Workload workload, int segments)
    {
        var geometry = workload.Geometry;
        long rows = (long)geometry.ChunksPerSegment(segments) * geometry.ChunkTokens, twice = 0;
        foreach (var layer in workload.Model.Layers)
        {
            twice += workload.Model.KindOf(layer).Window is { } window ? Math.Min(segments, (window / rows) + 2) * 2 : segments + 1;
        }

        return twice * geometry.ChunksPerRound * geometry.Rounds;
    }
}
