using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// FLOPs of a round that the model does not ask for, as the published HFU counts them. It counts low: levels as counted, not as placed,
/// and 2TeD for the attention of a late chunk, whose queries in truth attend to up to twice as much.
/// </summary>
/// <param name="Scores">Of attention's backward, which always computes them again: gnL S^2 D.</param>
/// <param name="Matrices">Query, output, gate and up projections of pairs that are not saved in full: 4TD^2 + 4TDF each.</param>
/// <param name="Attention">Forward attention of input-only pairs: (T/e) 2e^2 D if T > e, else 2TeD, with e the chunk's end in its
/// sequence.</param>
public sealed record RecomputedFlops(double Scores, double Matrices, double Attention)
{
    /// <summary>All of them.</summary>
    public double Total => Scores + Matrices + Attention;

    internal static RecomputedFlops Of(BaselineRequest request, Chunking chunking, LevelCounts counted, LevelPlacement placement)
    {
        var model = request.Model;
        double s = request.Seqlen, d = model.ModelDim, tokens = chunking.ChunkTokens;
        double attention = 0;
        for (int pair = 0; pair < placement.Levels.Length; pair++)
        {
            if (placement.Levels[pair] == SaveLevel.InputOnly)
            {
                long end = chunking.EndInSequence(new Chunk(pair % chunking.ChunksPerRound), request.Seqlen);
                attention += (chunking.ChunkTokens > end ? chunking.ChunkTokens / end * end : tokens) * 2 * end * d;
            }
        }

        return new RecomputedFlops(
            chunking.SequencesPerRound * model.LayerCount * s * s * d,
            counted.Recomputed * ((4 * tokens * d * d) + (4 * tokens * d * model.FfnDim)),
            attention);
    }
}
