using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// Host memory before any activations: E + Q + 4LB (parameters, gradients, both moments of the blocks; the device has those of embedding
/// and head) + 12TC (token ids, labels, positions) + 4CTD (mirrors of the residual streams, which nothing uses).
/// </summary>
internal static class HostPartition
{
    public static Bytes Base(ModelConfig model, Chunking chunking)
    {
        var sizes = BlockSizes.Of(model);
        long tokens = (long)chunking.ChunkTokens * chunking.ChunksPerRound;
        return sizes.Embedding
            + sizes.Head
            + (4 * sizes.Block * model.LayerCount)
            + new Bytes(12 * tokens)
            + new Bytes(4 * tokens * model.ModelDim);
    }
}
