using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <content>How long windows and their gradients are, and where they are at home.</content>
internal static partial class ObjectFamilies
{
    /// <summary>Chunk after chunk, segments pass in the same order again and again.</summary>
    private static Replacement InTurn(SizedResidency m) =>
        m.Residency.WindowSegments == 1 && m.Sizes.Kind != WorkloadKind.Generation ? Replacement.FarthestUse : Replacement.LongestIdle;

    private static int? TurnOf(SizedResidency m, ObjectId id) =>
        m.Sizes.TurnOfWindow(id.Layer!.Value) is > 0 and var turn ? turn : null;

    private static Bytes OfWindow(SizedResidency m, ObjectId id, Bytes piece)
    {
        int rows = id.Segment is { } s ? m.Geometry.RowsOf(new Segment(s, m.Residency.WindowSegments)) : m.Geometry.WindowRows;
        return RowsOfWindow(m, piece, rows);
    }

    private static Bytes RowsOfWindow(SizedResidency m, Bytes piece, int rows) => new(piece.Value / m.Geometry.ChunkTokens * rows);

    private static ObjectId HomeInLayer(SizedResidency m, ObjectId id) =>
        id with
        {
            Layer = new Layer(m.Pattern.HomeOf(id.Layer!.Value, id.Round!.Value)),
            Round = null,
        };
}
