using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <summary>
/// What follows from the calls of a block's forward and backward, whatever they are: their parts where a window is streamed, and what a
/// backward lacks, the smallest part of the forward that yields it.
/// </summary>
internal static class BlockCalls
{
    private static readonly CarriedAttention s_carried = new(AttentionSums, AttentionMaxima, AttentionTotals);

    /// <summary>The forward where attention takes its window segment by segment.</summary>
    public static StreamedCalls StreamedForward(ModelConfig model, LayerKind kind)
    {
        var (before, attention, after) = Around<AttentionForwardCall>(DecoderBlock.Forward(model, kind));
        return new StreamedCalls(
            before,
            [
                new AttentionSegmentForwardCall
                {
                    Query = attention.Query,
                    Keys = KvSegment,
                    FirstKey = attention.FirstKey,
                    Carried = s_carried,
                },
            ],
            [
                new AttentionNormalizeCall
                {
                    Carried = s_carried,
                    Output = attention.Output,
                    Lse = attention.Lse,
                },
                .. after,
            ]
        );
    }

    /// <summary>
    /// The forward where sequences are continued: keys and values join those that are kept, at each token's own row, and a sequence's state
    /// takes the place of the one before.
    /// </summary>
    public static ImmutableArray<KernelCall> CachedForward(ModelConfig model, LayerKind kind)
    {
        return [.. DecoderBlock.Forward(model, kind).SelectMany(Cached)];

        IEnumerable<KernelCall> Cached(KernelCall call) =>
            call switch
            {
                QkNormRopeForwardCall rotation => [rotation with { FirstKey = PositionBase }],
                AttentionForwardCall attention =>
                [
                    .. kind.SharesKv
                        ? Array.Empty<KernelCall>()
                        : [new ScatterRowsCall { From = KvPiece, Rows = CacheRow, To = attention.Keys }],
                    attention with { Scattered = new ScatteredTokens(CacheRow, PositionBase) },
                ],
                CausalConvolutionForwardCall convolution => [convolution with { State = convolution.States }],
                GatedConvolutionForwardCall convolution => [convolution with { State = convolution.States }],
                LinearRecurrenceForwardCall recurrence => [recurrence with { State = recurrence.States }],
                ExpertLoadCall => [],
                _ => [call],
            };
    }

    /// <summary>The backward where attention takes its window segment by segment.</summary>
    public static StreamedCalls StreamedBackward(ModelConfig model, LayerKind kind)
    {
        var (before, attention, after) = Around<AttentionBackwardCall>(DecoderBlock.Backward(model, kind));
        return new StreamedCalls(
            before,
            [
                new AttentionSegmentBackwardCall
                {
                    Query = attention.Query,
                    Keys = KvSegment,
                    FirstKey = attention.FirstKey,
                    Output = attention.Output,
                    Lse = attention.Lse,
                    GradOutput = attention.GradOutput,
                    GradQuerySums = attention.GradQuerySums,
                    GradKeys = GradKvSegment,
                },
            ],
            [new AttentionRoundingCall { GradQuerySums = attention.GradQuerySums, GradQuery = attention.GradQuery }, .. after]
        );
    }

    /// <summary>
    /// The calls of the forward, in its order, that yield the wanted tensors from the available ones. The same calls with the same
    /// operands as the forward's, hence the same bits; an output that nobody wants is left out only where the kernel can leave it out.
    /// </summary>
    public static ImmutableArray<KernelCall> Recompute(
        ModelConfig model,
        LayerKind kind,
        IEnumerable<TensorName> wanted,
        IReadOnlySet<TensorName> available
    )
    {
        // By product, where there is a tensor for each: of those of low rank.
        var needed = new HashSet<Operand>(wanted.Where(t => !available.Contains(t)).Select(t => (Operand)t));
        var calls = new List<KernelCall>();
        foreach (var call in DecoderBlock.Forward(model, kind).Reverse())
        {
            if (!call.Writes.Concat(call.Updates).Any(o => needed.Contains(o.Unsliced())))
            {
                continue;
            }

            calls.Add(call.Only(o => needed.Contains(o.Unsliced())));
            foreach (var operand in call.Reads)
            {
                var tensor = operand.Tensor == KvWindow && !available.Contains(KvWindow) ? KvPiece : operand.Unsliced();
                if (!available.Contains(tensor.Tensor) && tensor.Tensor is not (Weight or FirstKey or FirstKeyInWindow))
                {
                    needed.Add(tensor);
                }
            }
        }

        calls.Reverse();
        return [.. calls];
    }

    /// <summary>
    /// The same, every product with a weight that is stored in a type of its own behind the call that makes the weight dense: a product
    /// takes matrices of the recipe's type. A copy is made anew for each product: there is room for one at a time.
    /// </summary>
    public static ImmutableArray<KernelCall> WithDenseWeights(
        ImmutableArray<KernelCall> calls,
        ILookup<WeightName, StoredMatrix> stored
    )
    {
        if (stored.Count == 0)
        {
            return calls;
        }

        var all = ImmutableArray.CreateBuilder<KernelCall>();
        foreach (var call in calls)
        {
            // What is added to scores is read as it is stored.
            foreach (var weight in call is RoutingCall ? [] : call.Reads.Where(IsStored))
            {
                all.AddRange(stored[weight.Weight].Select(s => new DequantizeCall { Stored = s.Stored, Dense = s.Dense }));
            }

            all.Add(
                call switch
                {
                    GemmForwardCall c when IsStored(c.B) => c with { B = Dense(c.B.Weight) with { Slice = c.B.Slice } },
                    GemmInputGradientCall c when IsStored(c.B) => c with { B = Dense(c.B.Weight) with { Slice = c.B.Slice } },
                    GroupedGemmForwardCall c when IsStored(c.B) => c with { B = Dense(c.B.Weight) },
                    GroupedGemmInputGradientCall c when IsStored(c.B) => c with { B = Dense(c.B.Weight) },
                    DoraScalesCall c when IsStored(c.W) => c with { W = Dense(c.W.Weight) with { Slice = c.W.Slice } },
                    _ => call,
                }
            );
        }

        return all.ToImmutable();

        bool IsStored(Operand operand) => operand.Tensor == Weight && stored.Contains(operand.Weight);
    }

    /// <summary>The same, attention by cuDNN where it has calls for the pass.</summary>
    public static ImmutableArray<KernelCall> WithCudnn(ImmutableArray<KernelCall> calls, CudnnCalls? forward, CudnnCalls? backward) =>
        forward is null && backward is null
            ? calls
            :
            [
                .. calls.Select(call =>
                    call switch
                    {
                        AttentionForwardCall c when forward is not null => c with { Cudnn = forward, Workspace = AttentionSums },
                        AttentionSegmentForwardCall c => c with { Cudnn = forward },
                        AttentionNormalizeCall c => c with { Cudnn = forward },
                        AttentionBackwardCall c => c with { Cudnn = backward },
                        AttentionSegmentBackwardCall c => c with { Cudnn = backward },
                        AttentionRoundingCall c => c with { Cudnn = backward },
                        _ => call,
                    }
                ),
            ];

    private static (ImmutableArray<KernelCall> Before, T Call, ImmutableArray<KernelCall> After) Around<T>(ImmutableArray<KernelCall> calls)
        where T : KernelCall
    {
        int at = calls.IndexOf(calls.Single(c => c is T));
        return (calls[..at], (T)calls[at], calls[(at + 1)..]);
    }
}

/// <summary>The calls of a block's pass, cut at attention; those of attention itself are run once for each segment.</summary>
internal sealed record StreamedCalls(
    ImmutableArray<KernelCall> Before,
    ImmutableArray<KernelCall> Attention,
    ImmutableArray<KernelCall> After
);
