using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// Scratch of the attention backward, by the padded extents of its kernels. FlashAttention-3 (until Hopper) pads queries to tiles of M
/// rows and keys to tiles of N, a tile more for each packed sequence:
/// 8Hq + 4Hq hd (dP sums, log-sum-exp; dQ in fp32) + 8Kk hd (dK and dV in fp32, if heads share keys) + 4 ceil(T/M) nH (semaphores).
/// FlashAttention-2 (after it) pads by 128 and has a dQ for each multiprocessor that works on a head:
/// 4H q + 4SH hd (if heads share keys) + ceil(SMs / (nH)) * 8qH hd.
/// Keys are counted by sequence where the kernels count the chunk; the 200 MiB beside it hide that.
/// </summary>
internal static class AttentionWorkspace
{
    public static Bytes Of(ModelConfig model, long seqlen, Chunking chunking, BaselineMachine machine)
    {
        long tokens = chunking.ChunkTokens, sequences = chunking.SequencesPerChunk;
        long heads = model.HeadCount, kvHeads = model.KvHeadCount, headDim = model.HeadDim;
        bool shared = heads != kvHeads;
        if (machine.Capability > new ComputeCapability(9, 0))
        {
            long padded = tokens + (128 * sequences);
            return new Bytes((4 * heads * padded) + (shared ? 4 * seqlen * heads * headDim : 0)
                + (CeilDiv(machine.SmCount, sequences * heads) * 8 * padded * heads * headDim));
        }

        // Ampere and Ada GPUs with less shared memory (sm_86, sm_89) have smaller tiles.
        bool small = machine.Capability is { Major: 8, Minor: > 0 };
        long tileM = headDim <= 64 && !small ? 128 : 64;
        long tileN = headDim == 128 && small ? 96 : 128;
        long queries = CeilDiv(tokens + (sequences * tileM), tileM) * tileM;
        long keys = CeilDiv(seqlen + (sequences * tileN), tileN) * tileN;
        return new Bytes((8 * heads * queries) + (4 * heads * queries * headDim) + (shared ? 8 * kvHeads * keys * headDim : 0)
            + (4 * CeilDiv(tokens, tileM) * sequences * heads));
    }

    private static long CeilDiv(long a, long b) => (a + b - 1) / b;
}
