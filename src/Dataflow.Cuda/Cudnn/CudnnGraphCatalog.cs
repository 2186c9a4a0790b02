using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>
/// Attentions of every kind that cuDNN is asked for, so that a cuDNN elsewhere can be asked whether it plans them: widths of heads from 64
/// to 256, heads that share keys, whole sequences and chunks behind a longer context, and every combination of window, softcap, sink and
/// documents, on four architectures.
/// </summary>
public static class CudnnGraphCatalog
{
    private static readonly int[] s_widths = [64, 80, 96, 160, 192, 256];

    /// <summary>
    /// Releases and GPUs: the newest that was tried, and for sm90 also the last without the ordered gradient of queries, which has the
    /// direct one.
    /// </summary>
    public static IReadOnlyList<CudnnTarget> Targets { get; } =
    [
        new(CudnnTarget.Newest, new(8, 0)),
        new(CudnnTarget.Newest, new(9, 0)),
        new(new Version(9, 24, 1), new(9, 0)),
        new(CudnnTarget.Newest, new(10, 0)),
        new(CudnnTarget.Newest, new(12, 0)),
    ];

    /// <summary>What is asked for, each in both passes; not all of it is offered.</summary>
    public static IEnumerable<CudnnAttention> Attentions =>
        Forwards.Concat(Forwards.Select(f => f with { Pass = CudnnPass.Backward }))
            .Append(Chunk with { Pass = CudnnPass.Backward, GradQueryType = DType.Float32 })
            .Append(Chunk with { Pass = CudnnPass.Backward, GradQueryType = DType.Float32, Causal = false });

    private static CudnnAttention Chunk { get; } =
        new()
        {
            Pass = CudnnPass.Forward,
            Heads = 32,
            KvHeads = 8,
            HeadDim = 128,
            Queries = 1024,
            Keys = 8192,
        };

    private static IEnumerable<CudnnAttention> Forwards =>
        [
            .. Combinations(Chunk),
            Chunk with { Causal = false },
            Chunk with { Causal = false, Softcap = 50 },
            Documents(Chunk with { Causal = false }),
            .. s_widths.SelectMany(width => Each(Chunk with { HeadDim = width })),
            Chunk with { Heads = 16, KvHeads = 16 },
            Chunk with { KvHeads = 1 },
            Chunk with { Heads = 8, KvHeads = 1 },
            Chunk with { Heads = 64 },
            Chunk with { Queries = 4096, Keys = 4096 },
            Chunk with { Queries = 1000, Keys = 5000 },
            Chunk with { Queries = 2048, Keys = 32768 },
            Chunk with { Queries = 8192, Keys = 131072 },
            Chunk with { Queries = 128, Keys = 384 },
            Chunk with { Queries = 1, Keys = 4096 },
            Chunk with { QueryRow = 6144, KeyRow = 6144 },
        ];

    /// <summary>Graphs of all that is offered, each once.</summary>
    public static IEnumerable<CudnnGraph> Graphs() =>
        Answers()
            .Where(a => a.Answer is CudnnAnswer.Offered)
            .Select(a => CudnnAttentionGraph.Build((CudnnAnswer.Offered)a.Answer, a.Target))
            .DistinctBy(g => g.Name);

    /// <summary>Why the rest is not offered, and of how many attentions that is so.</summary>
    public static IEnumerable<(CudnnTarget Target, string Reason, int Attentions)> Refusals() =>
        Answers()
            .Where(a => a.Answer is CudnnAnswer.Refused)
            .GroupBy(a => (a.Target, ((CudnnAnswer.Refused)a.Answer).Reason))
            .Select(g => (g.Key.Target, g.Key.Reason, g.Count()));

    private static IEnumerable<(CudnnTarget Target, CudnnAnswer Answer)> Answers() =>
        Targets.SelectMany(target => Attentions.Select(asked => (target, CudnnRules.Answer(asked, target))));

    private static IEnumerable<CudnnAttention> Combinations(CudnnAttention of) =>
        Enumerable.Range(0, 16).Select(kinds =>
        {
            var one = of;
            one = (kinds & 1) == 0 ? one : one with { Window = 2048 };
            one = (kinds & 2) == 0 ? one : one with { Softcap = 50 };
            one = (kinds & 4) == 0 ? one : one with { Sink = true };
            return (kinds & 8) == 0 ? one : Documents(one);
        });

    private static IEnumerable<CudnnAttention> Each(CudnnAttention of) =>
        [
            of,
            of with { Window = 2048 },
            of with { Softcap = 50 },
            of with { Sink = true },
            Documents(of),
            Documents(of with { Window = 2048, Softcap = 50, Sink = true }),
        ];

    private static CudnnAttention Documents(CudnnAttention of) => of with { Documents = 4, Keys = 4096 };
}
