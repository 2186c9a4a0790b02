using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Causal attention of a chunk against its window, in the blocks of FlashAttention (Dao, 2023): no tokens x window matrix exists.
/// Token t of the chunk is window row rowOffset + t and attends to window rows firstKey[t] to rowOffset + t, which is how packed
/// documents, documents that cross chunks and long contexts are all said; firstKey never decreases, and a padding token's is its
/// own row. Scores are scaled and, where the heads say so, softcapped; query head h reads key/value head h / (heads / kvHeads). fp32
/// arithmetic, each output rounded once. head_dim goes up to 512.
/// </summary>
public static unsafe partial class Attention
{
    /// <summary>
    /// Keys: from window row 0 on, of which those up to the chunk's last are read; lse: natural logarithm of the sum of exponentials of
    /// scaled scores. Output and lse are overwritten.
    /// </summary>
    public static void Forward(ThreadTeam team, in AttentionForwardArguments call)
    {
        AttentionShape shape = new(call.Query, call.Keys, call.At, call.Heads);
        shape.ExpectWhole();
        Matrix o = new(call.Output);
        o.Expect(shape.Tokens, shape.Q.Columns, nameof(call.Output));
        Forward(team, shape, new AttentionResult(o, (float*)call.Lse));
    }

    /// <summary>
    /// Query, keys, output, lse: as the forward had and gave them; dq is overwritten; dkv: fp32, of which the rows up to the chunk's last
    /// are overwritten or, where the call accumulates, added to. Each gradient is one chain of sums: dq over keys ascending; dkv over heads
    /// of the group, then queries, ascending.
    /// </summary>
    public static void Backward(ThreadTeam team, in AttentionBackwardArguments call)
    {
        AttentionShape shape = new(call.Query, call.Keys, call.At, call.Heads);
        shape.ExpectWhole();
        Matrix o = new(call.Output), dO = new(call.GradOutput), dq = new(call.GradQuery), dkv = new(call.GradKeyValue);
        Backward(team, shape, new AttentionGradients(o, (float*)call.Lse, dO, dq, dkv, call.Accumulate));
    }

    /// <summary>The forward with a chosen micro-kernel.</summary>
    internal static void Forward<TKernel>(ThreadTeam team, AttentionShape shape, AttentionResult result)
        where TKernel : struct, IMicroKernel => Forward<TKernel, TKernel>(team, shape, result);

    /// <summary>
    /// The backward with a chosen micro-kernel: keys and values, then queries, each of which recomputes the probabilities.
    /// </summary>
    internal static void Backward<TKernel>(ThreadTeam team, AttentionShape shape, AttentionGradients gradients)
        where TKernel : struct, IMicroKernel => Backward<TKernel, TKernel>(team, shape, gradients);

    /// <summary>The same with a micro-kernel of its own for products of what is stored: of queries and keys.</summary>
    private static void Forward<TKernel, TScore>(ThreadTeam team, AttentionShape shape, AttentionResult result)
        where TKernel : struct, IMicroKernel
        where TScore : struct, IMicroKernel =>
        team.For(shape.QueryBlocks * shape.KvHeads, new AttentionForward<TKernel, TScore>(team, shape, result));

    /// <summary>And of output gradients and values.</summary>
    private static void Backward<TKernel, TScore>(ThreadTeam team, AttentionShape shape, AttentionGradients gradients)
        where TKernel : struct, IMicroKernel
        where TScore : struct, IMicroKernel
    {
        team.For(shape.KeyBlocks * shape.KvHeads, new AttentionKeyGradient<TKernel, TScore>(team, shape, gradients));
        team.For(shape.QueryBlocks * shape.KvHeads, new AttentionQueryGradient<TKernel, TScore>(team, shape, gradients));
    }

    private static void Forward(ThreadTeam team, AttentionShape shape, AttentionResult result)
    {
        if (NativeKernels.HasPairs && shape.IsOfPairs)
        {
            Forward<NativeKernel, PairKernel>(team, shape, result);
        }
        else if (NativeKernels.HasSingles)
        {
            Forward<NativeKernel>(team, shape, result);
        }
        else if (Vector512.IsHardwareAccelerated)
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
        if (NativeKernels.HasPairs && shape.IsOfPairs && gradients.DO.Type == DType.BFloat16)
        {
            Backward<NativeKernel, PairKernel>(team, shape, gradients);
        }
        else if (NativeKernels.HasSingles)
        {
            Backward<NativeKernel>(team, shape, gradients);
        }
        else if (Vector512.IsHardwareAccelerated)
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
