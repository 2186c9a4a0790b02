using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <summary>
/// The math of a block as lists of kernel calls: written once, run by every device. What a backward lacks is derived from here: the
/// smallest part of the forward that yields it.
/// </summary>
internal static class BlockCalls
{
    private static readonly CarriedAttention s_carried = new(AttentionSums, AttentionMaxima, AttentionTotals);

    /// <summary>x to y; every tensor that a backward may want on the way.</summary>
    public static ImmutableArray<KernelCall> Forward(ModelConfig model, LayerKind kind) =>
        [
            Norm(Input, WeightName.AttentionNorm, Norm1, Rstd1),
            new GemmForwardCall
            {
                A = Norm1,
                B = W(WeightName.Qkv),
                C = Qkv,
            },
            new QkNormRopeForwardCall
            {
                Qkv = Qkv,
                FirstKey = FirstKey,
                QueryNorm = model.QkNorm ? W(WeightName.QNorm) : null,
                KeyNorm = model.QkNorm ? W(WeightName.KNorm) : null,
                Query = Query,
                KeyValue = KvPiece,
            },
            new AttentionForwardCall
            {
                Query = Query,
                Keys = KvWindow,
                FirstKey = FirstKeyOf(kind),
                Output = AttentionOut,
                Lse = Lse,
            },
            new GemmForwardCall
            {
                A = AttentionOut,
                B = W(WeightName.AttentionOut),
                C = Residual,
                Addend = Input,
            },
            Norm(Residual, WeightName.FfnNorm, Norm2, Rstd2),
            new GemmForwardCall
            {
                A = Norm2,
                B = W(WeightName.GateUp),
                C = GateUp,
            },
            new SwiGluForwardCall { GateUp = GateUp, Ffn = Ffn },
            new GemmForwardCall
            {
                A = Ffn,
                B = W(WeightName.Down),
                C = Output,
                Addend = Residual,
            },
        ];

    /// <summary>The gradient of the residual stream in place, from y's to x's, and of every weight.</summary>
    public static ImmutableArray<KernelCall> Backward(ModelConfig model, LayerKind kind) =>
        [
            InputGradient(GradStream, WeightName.Down, GradFfn),
            new SwiGluBackwardCall { GradFfn = GradFfn, GateUp = GateUp },
            WeightGradient(GradStream, GradFfn, WeightName.Down),
            InputGradient(GateUp, WeightName.GateUp, GradNorm2),
            WeightGradient(GateUp, Norm2, WeightName.GateUp),
            NormBackward(GradNorm2, Residual, Rstd2, WeightName.FfnNorm),
            InputGradient(GradStream, WeightName.AttentionOut, GradAttention),
            WeightGradient(GradStream, AttentionOut, WeightName.AttentionOut),
            new AttentionBackwardCall
            {
                Query = Query,
                Keys = KvWindow,
                FirstKey = FirstKeyOf(kind),
                Output = AttentionOut,
                Lse = Lse,
                GradOutput = GradAttention,
                GradQuery = GradQuery,
                GradQuerySums = GradQuerySums,
                GradKeys = GradKvWindow,
            },
            new QkNormRopeBackwardCall
            {
                GradQuery = GradQuery,
                GradKeyValue = GradKvPiece,
                FirstKey = FirstKey,
                Norms = model.QkNorm
                    ? new QkNormOperands(
                        Qkv,
                        W(WeightName.QNorm),
                        W(WeightName.KNorm),
                        G(WeightName.QNorm),
                        G(WeightName.KNorm),
                        Partials
                    )
                    : null,
                GradQkv = GradQkv,
            },
            InputGradient(GradQkv, WeightName.Qkv, GradNorm1),
            WeightGradient(GradQkv, Norm1, WeightName.Qkv),
            NormBackward(GradNorm1, Input, Rstd1, WeightName.AttentionNorm),
        ];

    /// <summary>The forward where attention takes its window segment by segment.</summary>
    public static StreamedCalls StreamedForward(ModelConfig model, LayerKind kind)
    {
        var (before, attention, after) = Around<AttentionForwardCall>(Forward(model, kind));
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

    /// <summary>The backward where attention takes its window segment by segment.</summary>
    public static StreamedCalls StreamedBackward(ModelConfig model, LayerKind kind)
    {
        var (before, attention, after) = Around<AttentionBackwardCall>(Backward(model, kind));
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
        var needed = new HashSet<TensorName>(wanted.Where(t => !available.Contains(t)));
        var calls = new List<KernelCall>();
        foreach (var call in Forward(model, kind).Reverse())
        {
            if (!call.Writes.Any(o => needed.Contains(o.Tensor)))
            {
                continue;
            }

            var now = needed.ToHashSet();
            calls.Add(call.Only(o => now.Contains(o.Tensor)));
            foreach (var operand in call.Reads)
            {
                var tensor = operand.Tensor == KvWindow && !available.Contains(KvWindow) ? KvPiece : operand.Tensor;
                if (!available.Contains(tensor) && tensor is not (Weight or FirstKey or FirstKeyInWindow))
                {
                    needed.Add(tensor);
                }
            }
        }

        calls.Reverse();
        return [.. calls];
    }

    /// <summary>Where attention begins; positions count from the document's first token either way.</summary>
    private static TensorName FirstKeyOf(LayerKind kind) => kind.Window is null ? FirstKey : FirstKeyInWindow;

    private static RmsNormForwardCall Norm(TensorName x, WeightName weight, TensorName y, TensorName rstd) =>
        new()
        {
            X = x,
            Weight = W(weight),
            Y = y,
            Rstd = rstd,
        };

    private static GemmInputGradientCall InputGradient(TensorName gradient, WeightName weight, TensorName result) =>
        new()
        {
            A = gradient,
            B = W(weight),
            C = result,
        };

    private static GemmWeightGradientCall WeightGradient(TensorName gradient, TensorName input, WeightName weight) =>
        new()
        {
            A = gradient,
            B = input,
            C = G(weight),
        };

    /// <summary>Added to the stream's gradient, which passes by the norm as it is.</summary>
    private static RmsNormBackwardCall NormBackward(TensorName gradient, TensorName x, TensorName rstd, WeightName weight) =>
        new()
        {
            GradY = gradient,
            X = x,
            Rstd = rstd,
            Weight = W(weight),
            GradX = GradStream,
            Adds = true,
            GradWeight = G(weight),
            Workspace = Partials,
        };

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
