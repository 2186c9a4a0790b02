using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// What chunks fetch of other chunks' keys and values in one pass over all layers of a round, where windows are streamed by segment: half
/// of a window each in the mean, or, in layers with an attention window, what that leaves, and nothing at all where slots hold it from one
/// chunk to the next.
/// </summary>
/// <param name="programs">Of the workload.</param>
/// <param name="geometry">Its geometry.</param>
/// <param name="layersOf">Layers of each kind.</param>
internal sealed class SegmentTraffic(BlockPrograms programs, Geometry geometry, int[] layersOf)
{
    private readonly Dictionary<(int Kind, int Segments), (long Pieces, int Most)> seen = [];

    /// <summary>Bytes, as far as sums can say.</summary>
    public double Bytes(int segments, int slots)
    {
        double sum = 0;
        for (int kind = 0; kind < layersOf.Length; kind++)
        {
            double piece = programs.Kinds[kind].KvPieceSize.Value;
            sum += layersOf[kind] * geometry.GroupsPerRound * piece * Pieces(kind, segments, slots);
        }

        return sum;
    }

    /// <summary>Pieces, each one chunk's keys and values, that a group's chunks fetch.</summary>
    private double Pieces(int kind, int segments, int slots)
    {
        int positions = geometry.ChunksPerGroup;
        if (programs.Kinds[kind].Kind.Window is not { } window)
        {
            return positions * (double)positions / 2;
        }

        if (!seen.TryGetValue((kind, segments), out var of))
        {
            of = seen[(kind, segments)] = Seen(segments, window);
        }

        return of.Most <= slots ? 0 : of.Pieces;
    }

    private (long Pieces, int Most) Seen(int segments, int window)
    {
        long pieces = 0;
        int most = 0;
        for (int i = 0; i < geometry.ChunksPerGroup; i++)
        {
            int count = 0;
            foreach (var segment in geometry.SegmentsOf(new Chunk(i), segments, window))
            {
                pieces += geometry.RowsUpTo(new Chunk(i), segment) / geometry.ChunkTokens;
                count++;
            }

            most = Math.Max(most, count);
        }

        return (pieces, most);
    }
}
