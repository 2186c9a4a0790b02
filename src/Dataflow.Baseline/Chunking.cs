using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// How a round's tokens are cut. A sequence above the machine's minimum m is cut into the smallest equal parts of at least m tokens (the
/// smallest divisor of S that is at least m, so the whole of a prime S); shorter ones are packed, m tokens or the next multiple of S
/// above. A round has as many groups of sequences as make its activations, in the estimate, equal a block's parameters:
/// g = max(1, round(block / activations / chunks of a sequence)), to balance both kinds of traffic.
/// </summary>
/// <param name="ChunkTokens">T.</param>
/// <param name="ChunksPerSequence">1 where sequences are packed.</param>
/// <param name="SequencesPerChunk">n; 1 where sequences are cut.</param>
/// <param name="GroupsPerRound">g.</param>
public sealed record Chunking(int ChunkTokens, int ChunksPerSequence, int SequencesPerChunk, int GroupsPerRound)
{
    /// <summary>C.</summary>
    public int ChunksPerRound => ChunksPerSequence * GroupsPerRound;

    /// <summary>g * n.</summary>
    public int SequencesPerRound => GroupsPerRound * SequencesPerChunk;

    /// <summary>The end of the chunk's tokens in their sequence; the sequence's length where whole sequences are packed.</summary>
    public long EndInSequence(Chunk chunk, int seqlen) =>
        seqlen <= ChunkTokens ? seqlen : (chunk.Index % ChunksPerSequence + 1L) * ChunkTokens;

    /// <summary>The rule.</summary>
    public static Chunking Of(ModelConfig model, int seqlen, int minTokens)
    {
        int tokens = Tokens(seqlen, minTokens);
        int perSequence = seqlen <= tokens ? 1 : seqlen / tokens;
        double blocks = (double)BlockSizes.Of(model).Block.Value / ActivationSizes.Of(model, tokens).Estimate.Value;
        int groups = (int)Math.Max(1, Math.Round(blocks / perSequence, MidpointRounding.AwayFromZero));
        return new Chunking(tokens, perSequence, Math.Max(1, tokens / seqlen), groups);
    }

    private static int Tokens(int seqlen, int min)
    {
        if (seqlen <= min)
        {
            return min % seqlen == 0 ? min : checked((min / seqlen + 1) * seqlen);
        }

        int parts = seqlen / min;
        while (seqlen % parts != 0)
        {
            parts--;
        }

        return seqlen / parts;
    }
}
