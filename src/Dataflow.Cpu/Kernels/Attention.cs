using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Causal attention of a chunk against its window, in the blocks of FlashAttention (Dao, 2023): no tokens x window matrix exists.
/// Token t of the chunk is window row rowOffset + t and attends to window rows firstKey[t] to rowOffset + t, which is how packed
/// documents, documents that cross chunks and long contexts are all said; firstKey never decreases, and a padding token's is its
/// own row. Scores are scaled by 1 / sqrt(head_dim); query head h reads key/value head h / (heads / kvHeads). fp32 arithmetic,
/// each output rounded once. head_dim goes up to 256.
/// </summary>
public static unsafe partial class Attention
{
    /// <summary>
    /// q, o: T x H hd; keys: from row 0 on, 2K hd columns (keys, values), of which rows 0 to rowOffset + T - 1 are read; firstKey: T;
    /// lse: H x T, natural logarithm of the sum of exponentials of scaled scores. o and lse are overwritten.
    /// </summary>
    public static void Forward(
        ThreadTeam team, Matrix q, KeyRows keys, int* firstKey, int rowOffset, int heads, int kvHeads, int headDim, Matrix o, float* lse)
    {
        AttentionShape shape = new(q, keys, firstKey, rowOffset, heads, kvHeads, headDim);
        shape.ExpectWhole();
        o.Expect(q.Rows, q.Columns, nameof(o));
        Forward(team, shape, new AttentionResult(o, lse));
    }

    /// <summary>
    /// q, keys, firstKey, o, lse: as the forward had and gave them; dO: T x H hd; dq: T x H hd, overwritten; dkv: window rows x
    /// 2K hd, fp32, of which rows 0 to rowOffset + T - 1 are overwritten or, under <paramref name="accumulate"/>, added to.
    /// Each gradient is one chain of sums: dq over keys ascending; dkv over heads of the group, then queries, ascending.
    /// </summary>
    public static void Backward(
        ThreadTeam team,
        Matrix q,
        KeyRows keys,
        int* firstKey,
        int rowOffset,
        int heads,
        int kvHeads,
        int headDim,
        Matrix o,
        float* lse,
        Matrix dO,
        Matrix dq,
        Matrix dkv,
        bool accumulate
    )
    {
        AttentionShape shape = new(q, keys, firstKey, rowOffset, heads, kvHeads, headDim);
        shape.ExpectWhole();
        Backward(team, shape, new AttentionGradients(o, lse, dO, dq, dkv, accumulate));
    }

    /// <summary>The forward with a chosen micro-kernel.</summary>
    internal static void Forward<TKernel>(ThreadTeam team, AttentionShape shape, AttentionResult result)
        where TKernel : struct, IMicroKernel =>
        team.For(shape.QueryBlocks * shape.KvHeads, new AttentionForward<TKernel>(team, shape, result));

    /// <summary>
    /// The backward with a chosen micro-kernel: keys and values, then queries, each of which recomputes the probabilities.
    /// </summary>
    internal static void Backward<TKernel>(ThreadTeam team, AttentionShape shape, AttentionGradients gradients)
        where TKernel : struct, IMicroKernel
    {
        team.For(shape.KeyBlocks * shape.KvHeads, new AttentionKeyGradient<TKernel>(team, shape, gradients));
        team.For(shape.QueryBlocks * shape.KvHeads, new AttentionQueryGradient<TKernel>(team, shape, gradients));
    }

    private static void Forward(ThreadTeam team, AttentionShape shape, AttentionResult result)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Forward<MicroKernel512>(team, shape, result);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Forward<MicroKernel256>(team, shape, result);
        }
        else
        {
            Forward<MicroKernelScalar>(team, shape, result);
        }
    }

    private static void Backward(ThreadTeam team, AttentionShape shape, AttentionGradients gradients)
    {
        gradients.Expect(shape);
        if (Vector512.IsHardwareAccelerated)
        {
            Backward<MicroKernel512>(team, shape, gradients);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Backward<MicroKernel256>(team, shape, gradients);
        }
        else
        {
            Backward<MicroKernelScalar>(team, shape, gradients);
        }
    }
}
