using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// Device memory that is taken during the whole step, whatever travels, as the published system estimates it before it places anything:
/// w + 2(2 max(T,S) kv 2) + 4E + 4Q + 2C(2TD) + 2TV + 4TD + a + T(2(D+V) + 4) + 2T(D+F) + 200 MiB.
/// </summary>
internal static class StickyMemory
{
    /// <summary>For what libraries take, and again for padding.</summary>
    public static readonly Bytes Slack = new(200L << 20);

    public static Bytes Of(ModelConfig model, int seqlen, Chunking chunking, Bytes workspace)
    {
        long tokens = chunking.ChunkTokens, d = model.ModelDim, v = model.VocabSize;
        var sizes = BlockSizes.Of(model);
        return workspace
            + (2 * Window(model, seqlen, chunking)) // K,V and their gradients
            + (4 * sizes.Embedding) + (4 * sizes.Head) // parameters, gradients, both moments
            + new Bytes(2L * chunking.ChunksPerRound * 2 * tokens * d) // residual streams
            + new Bytes(2 * tokens * v) // logits
            + new Bytes(4 * tokens * d) // recomputed norms
            + ActivationSizes.Of(model, chunking.ChunkTokens).Estimate // gradients of activations
            + new Bytes(tokens * ((2 * (d + v)) + 4)) // the head's norm, probabilities, rms
            + Scratch(model, chunking)
            + Slack;
    }

    /// <summary>K and V of a whole sequence, or of a chunk that packs several.</summary>
    public static Bytes Window(ModelConfig model, int seqlen, Chunking chunking) =>
        new(2L * Math.Max(chunking.ChunkTokens, seqlen) * model.KvDim * 2);

    /// <summary>What kernels leave each other within a layer.</summary>
    public static Bytes Scratch(ModelConfig model, Chunking chunking) =>
        new(2L * chunking.ChunkTokens * ((long)model.ModelDim + model.FfnDim));
}
