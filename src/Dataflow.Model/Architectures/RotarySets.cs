namespace Dataflow.Model;

/// <summary>
/// The rotary frequencies of a chunk's documents, where a document's length changes them: set 0 is that of documents no longer than the
/// model was first trained on; with <see cref="RotaryScalingKind.LongRope"/> set 1 is that of all longer ones, else each has its own.
/// </summary>
public static class RotarySets
{
    /// <summary>The most that a chunk can need: of documents longer than the original length, few reach into it.</summary>
    public static int Count(RotaryPositions positions, Geometry geometry)
    {
        if (positions.Scaling is not { Kind: RotaryScalingKind.Dynamic, OriginalPositions: var original })
        {
            return 2;
        }

        // Where sequences are continued, each token may be of another.
        return geometry.Cache is not null
            ? geometry.ChunkTokens + 1
            : (int)Math.Min(geometry.ChunkTokens + 1L, (geometry.ChunkTokens / (original + 1)) + 3);
    }

    /// <summary>Bytes that a chunk's table has for them, aligned.</summary>
    public static Bytes Size(ModelConfig model, RotaryPositions positions, Geometry geometry) =>
        new Bytes((long)Count(positions, geometry) * (model.HeadDim / 2) * sizeof(double)).Aligned;

    /// <summary>The frequencies of a document of that length: of each pair of a head, 0 where it is not turned.</summary>
    public static void Fill(ModelConfig model, RotaryPositions positions, long length, Span<double> pairs)
    {
        pairs.Clear();
        positions.InverseFrequencies(model.RotaryDims ?? (2 * pairs.Length), length).CopyTo(pairs);
    }
}
