using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// The device's one allocation, item after item, each on 256 bytes. After an item the published system goes on to the next multiple of
/// 256, and 256 further if it is there already, so an item takes up to 256 bytes more.
/// </summary>
/// <param name="Persistent">Where the items end that no optimizer slot may overlay.</param>
/// <param name="Used">Where the last one ends.</param>
internal sealed record DevicePartition(Bytes Persistent, Bytes Used)
{
    public static DevicePartition Of(ModelConfig model, int seqlen, Chunking chunking, Bytes workspace, DeviceSplit split)
    {
        var sizes = BlockSizes.Of(model);
        var full = ActivationSizes.Of(model, chunking.ChunkTokens).Full;
        var window = StickyMemory.Window(model, seqlen, chunking);
        long tokens = chunking.ChunkTokens;
        var stream = new Bytes(2 * tokens * model.ModelDim);
        var logits = new Bytes(2 * tokens * model.VocabSize);
        var metadata = new Bytes(4 * ((7 * tokens) + (4L * chunking.SequencesPerChunk) + 4));

        (int Count, Bytes Size)[] persistent =
        [
            (1, workspace),
            (1, sizes.Embedding), (split.WeightBlocks, sizes.Block), (1, sizes.Head),
            (split.GradientBlocks, sizes.Block), (1, sizes.Embedding), (1, sizes.Head), // gradients
            (2, sizes.Embedding), (2, sizes.Head), // moments
            (chunking.ChunksPerRound, metadata),
            (2, window), // K,V and their gradients
            (2 * chunking.ChunksPerRound, stream),
            (1, StickyMemory.Scratch(model, chunking)),
        ];
        (int Count, Bytes Size)[] ofRounds =
        [
            (split.DevicePairs, full),
            (1, full), // gradients of activations
            (1, 2 * stream), // recomputed norms
            (1, stream), (1, new Bytes(4 * tokens)), // the head's norm and its rms
            (1, logits), (1, logits), // probabilities, logits
        ];
        var end = Append(Bytes.Zero, persistent);
        return new DevicePartition(end, Append(end, ofRounds));
    }

    /// <summary>Pairs of moment blocks that fit behind the persistent items.</summary>
    public int OptimizerSlots(Bytes budget, Bytes block) => checked((int)((budget - Persistent).Value / (2 * block).Value));

    // Starts are aligned, so that every item of a size takes the same.
    private static Bytes Append(Bytes start, IEnumerable<(int Count, Bytes Size)> items) =>
        items.Aggregate(start, (end, item) => end + (new Bytes(item.Size.Value + 1).Aligned * item.Count));
}
