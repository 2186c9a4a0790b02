namespace Dataflow.Model;

/// <summary>
/// How cuDNN computes one pass of the attention of a layer's chunks. A chunk of whole rows is one call, its rows side by side. Of a row
/// that has several chunks, a chunk's queries meet the keys of one chunk a call, ascending, their own last: outputs are merged by their
/// logsumexps, gradients added up, all in fp32. So a result is the same bits in whatever segments the row's window is held.
/// </summary>
/// <param name="Own">Of a chunk's queries and its own keys.</param>
/// <param name="Earlier">Of its queries and all keys of an earlier chunk of the row; null where a row has no other chunk.</param>
public sealed record CudnnCalls(CudnnAnswer.Offered Own, CudnnAnswer.Offered? Earlier)
{
    /// <summary>Rows of the window that each call takes keys from.</summary>
    public int BlockRows => Own.Call.Sequences * Own.Call.Keys;

    /// <summary>Tokens of a chunk.</summary>
    public int Tokens => Own.Call.Sequences * Own.Call.Queries;

    /// <summary>Heads of queries, of all calls together.</summary>
    public int Heads => Own.Calls * Own.Call.Heads;

    /// <summary>Heads of keys and values, likewise.</summary>
    public int KvHeads => Own.Calls * Own.Call.KvHeads;

    /// <summary>Whether results of several calls come together.</summary>
    public bool Merges => Earlier is not null;

    /// <summary>
    /// Bytes that our kernels move for a block: of outputs that are merged a bf16 part and fp32 sums; of gradients of keys and values a
    /// bf16 part and fp32 sums, and of the query's that are added up both in fp32.
    /// </summary>
    public double BytesBetween
    {
        get
        {
            double queries = (double)Tokens * Heads * Own.Call.HeadDim, keys = 2.0 * BlockRows * KvHeads * Own.Call.HeadDim;
            return Own.Call.Pass == CudnnPass.Forward ? (Merges ? 10 * queries : 0) : (10 * keys) + (Merges ? 12 * queries : 0);
        }
    }

    /// <summary>What plan and device agree on.</summary>
    public CudnnMemory Memory { get; } = CudnnMemory.Of(Own, Earlier);

    /// <summary>How cuDNN computes the pass, or why it does not.</summary>
    /// <param name="workload">Model, recipe and geometry.</param>
    /// <param name="kind">Of the layers.</param>
    /// <param name="pass">Forward or backward.</param>
    /// <param name="refusal">The reason; null where there are calls.</param>
    public static CudnnCalls? Of(in AttentionWorkload workload, LayerKind kind, CudnnPass pass, out string? refusal)
    {
        refusal = null;
        if (workload.Geometry.Cudnn is not { } target)
        {
            return null;
        }

        var asked = Asked(workload, kind, pass, out refusal);
        if (refusal is not null)
        {
            return null;
        }

        bool merges = workload.Geometry.ChunksPerGroup > 1;
        var own = CudnnRules.Answer(asked, target);
        var earlier = merges ? CudnnRules.Answer(asked with { Causal = false }, target) : null;
        refusal = ((own as CudnnAnswer.Refused) ?? (earlier as CudnnAnswer.Refused))?.Reason;
        return refusal is null ? new CudnnCalls((CudnnAnswer.Offered)own, (CudnnAnswer.Offered?)earlier) : null;
    }

    /// <summary>Why cuDNN computes no attention of a workload at all; null where it computes some.</summary>
    public static string? Refusal(in AttentionWorkload workload)
    {
        string? first = null;
        foreach (var kind in workload.Model.Kinds.Distinct())
        {
            foreach (var pass in Enum.GetValues<CudnnPass>())
            {
                if (Of(workload, kind, pass, out string? refusal) is not null)
                {
                    return null;
                }

                first ??= refusal;
            }
        }

        return first;
    }

    private static CudnnAttention Asked(in AttentionWorkload workload, LayerKind kind, CudnnPass pass, out string? refusal)
    {
        var (model, geometry) = (workload.Model, workload.Geometry);
        var heads = model.HeadsOf(kind);
        int seqlen = geometry.Seqlen, tokens = geometry.ChunkTokens;
        bool whole = tokens % seqlen == 0;
        int? window = kind.Window < seqlen ? kind.Window : null;
        refusal =
            geometry.Cache is not null ? "sequences that are continued a token at a time are not what cuDNN is asked for"
            : !whole && seqlen % tokens != 0
                ? $"rows of {seqlen} tokens neither fill chunks of {tokens} nor are filled by them (change --chunk)"
            : !whole && window is not null ? $"a window of {window} keys reaches into earlier chunks of its row (give a larger --chunk)"
            : null;
        return new CudnnAttention
        {
            Pass = pass,
            Heads = heads.Heads,
            KvHeads = heads.KvHeads,
            HeadDim = heads.HeadDim,
            Queries = whole ? seqlen : tokens,
            Keys = whole ? seqlen : tokens,
            Sequences = whole ? tokens / seqlen : 1,
            Type = workload.Recipe.Activations,
            GradQueryType = whole ? workload.Recipe.Activations : DType.Float32,
            Window = window,
            Softcap = model.AttentionSoftcap,
            Scale = kind.AttentionScale ?? model.AttentionScale,
        };
    }
}

/// <summary>What decides how attention is computed.</summary>
/// <param name="Model">Its heads.</param>
/// <param name="Recipe">Its types.</param>
/// <param name="Geometry">Its chunks, and by whom it is to be computed.</param>
public readonly record struct AttentionWorkload(ModelConfig Model, Recipe Recipe, Geometry Geometry);
