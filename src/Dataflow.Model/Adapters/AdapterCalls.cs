using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <summary>
/// Adds an adapter to the calls of a block. Each product with an adapted matrix is followed by those of low rank: h = A x once for all
/// tensors of the matrix, and B h into the columns of its result that are that tensor's rows. The way back computes h anew, of which a
/// product costs less than the memory that would keep it.
/// </summary>
internal static partial class AdapterCalls
{
    /// <summary>Of a forward.</summary>
    public static ImmutableArray<KernelCall> Forward(LayerAdapter? adapter, ImmutableArray<KernelCall> calls) =>
        adapter is null ? calls : [.. calls.SelectMany(call => Followed(adapter, call))];

    /// <summary>Of a backward, with the products for the gradients of all matrices, trained or not.</summary>
    public static ImmutableArray<KernelCall> Backward(LayerAdapter? adapter, ImmutableArray<KernelCall> calls) =>
        adapter is null
            ? calls
            :
            [
                .. calls.SelectMany<KernelCall, KernelCall>(call =>
                    call switch
                    {
                        GemmInputGradientCall c => InputGradients(c, adapter.Of(MatrixOf(c.B))),
                        GemmWeightGradientCall c => [c, .. WeightGradients(c, adapter.Of(MatrixOf(c.C)))],
                        GroupedGemmInputGradientCall c => [c, .. InputGradients(c, adapter.Of(c.B.Weight))],
                        GroupedGemmWeightGradientCall c => [c, .. WeightGradients(c, adapter.Of(c.C.Weight))],
                        _ => [call],
                    }
                ),
            ];

    private static IEnumerable<KernelCall> Followed(LayerAdapter adapter, KernelCall call)
    {
        if (call is GroupedGemmForwardCall ofExperts)
        {
            return LowRankProducts(ofExperts, adapter.Of(ofExperts.B.Weight)).Prepend(ofExperts);
        }

        if (call is not GemmForwardCall product || adapter.Of(MatrixOf(product.B)) is not [var first, ..] parts)
        {
            return [call];
        }

        if (!first.HasMagnitude)
        {
            return LowRankProducts(product, parts).Prepend(product);
        }

        var unscaled = product with { C = Unscaled(product.B.Weight), Bias = null, Addend = null, Scale = 1 };
        return [unscaled, .. LowRankProducts(unscaled, parts), .. Multiplied(product, unscaled.C, parts)];
    }

    /// <summary>A product as it is, with each row's factor.</summary>
    private static IEnumerable<KernelCall> Multiplied(GemmForwardCall whole, Operand unscaled, ImmutableArray<AdaptedRows> parts)
    {
        foreach (var part in parts)
        {
            yield return ScalesOf(part);
            yield return Columns(whole, unscaled, part.FirstRow, part.Rows) with { Scales = new Operand(DoraScales, part.B) };
        }

        // Rows between them are no target.
        long end = 0;
        foreach (var part in parts)
        {
            if (part.FirstRow > end)
            {
                yield return Columns(whole, unscaled, end, part.FirstRow - end);
            }

            end = part.FirstRow + part.Rows;
        }

        if (end < parts[0].MatrixRows)
        {
            yield return Columns(whole, unscaled, end, parts[0].MatrixRows - end);
        }
    }

    private static DoraForwardCall Columns(GemmForwardCall whole, Operand unscaled, long first, long count) =>
        new()
        {
            X = unscaled.Columns(first, count),
            Bias = whole.Bias?.Columns(first, count),
            Addend = whole.Addend?.Columns(first, count),
            Y = whole.C.Columns(first, count),
            Scale = whole.Scale,
        };

    private static DoraScalesCall ScalesOf(in AdaptedRows part) =>
        new()
        {
            W = W(part.Matrix).Rows(part.FirstRow, part.Rows),
            A = W(part.A).Rows(part.FirstRank, part.Rank),
            B = W(part.B),
            Magnitude = W(part.Magnitude),
            Scales = new Operand(DoraScales, part.B),
            Scale = part.Scale,
        };

    /// <summary>A product with a matrix before its rows' factors.</summary>
    public static TensorName Unscaled(WeightName matrix) =>
        matrix switch
        {
            WeightName.Qkv => UnscaledQkv,
            WeightName.AttentionOut => UnscaledAttentionOut,
            WeightName.GateUp => UnscaledGateUp,
            WeightName.Down => UnscaledDown,
            _ => throw new InvalidOperationException($"{matrix} has no magnitudes"),
        };

    private static IEnumerable<KernelCall> LowRankProducts(GemmForwardCall product, ImmutableArray<AdaptedRows> parts)
    {
        foreach (var call in Downs(product.A, parts))
        {
            yield return call;
        }

        foreach (var part in parts.Where(p => Meets(product.B, p)))
        {
            var columns = ColumnsOf(product.C, product.B, part);
            yield return new GemmForwardCall
            {
                A = RanksOf(LowRank, part),
                B = RowsOf(W(part.B), product.B, part),
                C = columns,
                Addend = columns,
                Scale = product.Scale * part.Scale,
            };
        }
    }

    /// <summary>The gradient of h, and from it what is added to that of the product's input.</summary>
    private static IEnumerable<KernelCall> InputGradients(GemmInputGradientCall product, ImmutableArray<AdaptedRows> parts)
    {
        if (parts is [{ HasMagnitude: true }, ..])
        {
            var gradient = UnscaledGradient(product.A);
            foreach (var part in parts)
            {
                yield return ScalesOf(part);
                yield return new DoraBackwardCall
                {
                    GradY = product.A.Columns(part.FirstRow, part.Rows),
                    X = new Operand(Unscaled(part.Matrix)).Columns(part.FirstRow, part.Rows),
                    Scales = new Operand(DoraScales, part.B),
                    GradX = gradient.Columns(part.FirstRow, part.Rows),
                    GradMagnitude = G(part.Magnitude),
                    Scale = product.Scale,
                };
            }

            product = product with { A = gradient };
        }

        yield return product;
        foreach (var part in parts.Where(p => Meets(product.B, p)))
        {
            yield return new GemmInputGradientCall
            {
                A = ColumnsOf(product.A, product.B, part),
                B = RowsOf(W(part.B), product.B, part),
                C = RanksOf(GradLowRank, part),
                Scale = product.Scale * part.Scale,
                Adds = GoesOnBehind(product.B, part),
            };
        }

        if (!IsLast(product.B))
        {
            yield break;
        }

        if (parts is [{ Dropout: > 0 }, ..])
        {
            foreach (var part in parts)
            {
                var dropped = new Operand(Dropped, part.Matrix);
                yield return new GemmInputGradientCall
                {
                    A = RanksOf(GradLowRank, part),
                    B = W(part.A).Rows(part.FirstRank, part.Rank),
                    C = dropped,
                };
                yield return Drop(dropped, product.C, part) with { Adds = true };
            }
        }
        else if (!parts.IsEmpty)
        {
            yield return new GemmInputGradientCall
            {
                A = new Operand(GradLowRank, MatrixOf(product.B)),
                B = W(AdaptedRows.NameOfA(MatrixOf(product.B))),
                C = product.C,
                Adds = true,
            };
        }
    }

    private static IEnumerable<KernelCall> WeightGradients(GemmWeightGradientCall product, ImmutableArray<AdaptedRows> parts)
    {
        if (parts.IsEmpty)
        {
            yield break;
        }

        product = parts[0].HasMagnitude ? product with { A = UnscaledGradient(product.A) } : product;

        bool last = IsLast(product.C);
        foreach (var part in parts)
        {
            bool meets = Meets(product.C, part);
            if (part.Dropout > 0 ? meets || last : part == parts[0])
            {
                // Without dropout once for all of them.
                foreach (var call in Downs(product.B, part.Dropout > 0 ? [part] : parts))
                {
                    yield return call;
                }
            }

            if (meets)
            {
                yield return new GemmWeightGradientCall
                {
                    A = ColumnsOf(product.A, product.C, part),
                    B = RanksOf(LowRank, part),
                    C = RowsOf(G(part.B), product.C, part),
                    Scale = product.Scale * part.Scale,
                };
            }

            if (part.Dropout > 0 && last)
            {
                yield return new GemmWeightGradientCall
                {
                    A = RanksOf(GradLowRank, part),
                    B = new Operand(Dropped, part.Matrix),
                    C = G(part.A).Rows(part.FirstRank, part.Rank),
                };
            }
        }

        if (parts[0].Dropout == 0 && last)
        {
            yield return new GemmWeightGradientCall
            {
                A = new Operand(GradLowRank, parts[0].Matrix),
                B = product.B,
                C = G(parts[0].A),
            };
        }
    }

    /// <summary>Behind the look-up of the embedding, that of A, and B's product with it.</summary>
    /// <param name="model">With its adapter.</param>
    /// <param name="x">Where the embedding is.</param>
    public static IEnumerable<KernelCall> Embed(ModelConfig model, TensorName x)
    {
        foreach (var part in OfEmbedding(model))
        {
            yield return LookUp(part);
            yield return new GemmForwardCall
            {
                A = RanksOf(LowRank, part),
                B = W(part.B),
                C = x,
                Addend = x,
                Scale = (float)(part.ExactScale * model.EmbeddingScale),
            };
        }
    }

    /// <summary>From the gradient of the embedding to those of A's rows and of B.</summary>
    /// <param name="model">With its adapter.</param>
    /// <param name="gradient">Of the embedding.</param>
    public static IEnumerable<KernelCall> EmbedBackward(ModelConfig model, TensorName gradient)
    {
        foreach (var part in OfEmbedding(model))
        {
            float scale = (float)(part.ExactScale * model.EmbeddingScale);
            yield return new GemmInputGradientCall
            {
                A = gradient,
                B = W(part.B),
                C = RanksOf(GradLowRank, part),
                Scale = scale,
            };
            yield return new EmbeddingBackwardCall
            {
                Ids = Ids,
                Order = Order,
                GradX = RanksOf(GradLowRank, part),
                GradTable = G(part.A),
            };
            yield return LookUp(part);
            yield return new GemmWeightGradientCall
            {
                A = gradient,
                B = RanksOf(LowRank, part),
                C = G(part.B),
                Scale = scale,
            };
        }
    }

    /// <summary>
    /// The head is the first of a step to touch the gradients of the object in which its adapters and the embedding's lie: those of the
    /// embedding begin there.
    /// </summary>
    public static IEnumerable<KernelCall> BeginEmbedding(ModelConfig model) =>
        OfEmbedding(model).SelectMany(part => new[] { new ZeroCall { Gradient = G(part.A) }, new ZeroCall { Gradient = G(part.B) } });

    private static ImmutableArray<AdaptedRows> OfEmbedding(ModelConfig model) =>
        model.Adapter?.Ends?.Of(WeightName.EmbeddingTable) ?? [];

    private static EmbeddingForwardCall LookUp(in AdaptedRows part) =>
        new()
        {
            Ids = Ids,
            Table = W(part.A),
            X = RanksOf(LowRank, part),
        };

    /// <summary>The gradient of a product before its rows' factors: in place, unless it is the stream's, which goes on as it is.</summary>
    private static Operand UnscaledGradient(Operand gradient) => gradient.Tensor == GradStream ? GradProjection : gradient;

    /// <summary>A tied head multiplies by the table, of which the embedding makes no products.</summary>
    private static WeightName MatrixOf(Operand weight) =>
        weight.Weight == WeightName.EmbeddingTable ? WeightName.HeadMatrix : weight.Weight;

    /// <summary>h = A x: of all at once, or of each from what its dropout leaves of x.</summary>
    private static IEnumerable<KernelCall> Downs(Operand x, ImmutableArray<AdaptedRows> parts)
    {
        if (parts[0].Dropout == 0)
        {
            yield return new GemmForwardCall
            {
                A = x,
                B = W(parts[0].A),
                C = new Operand(LowRank, parts[0].Matrix),
            };
            yield break;
        }

        foreach (var part in parts)
        {
            var dropped = new Operand(Dropped, part.Matrix);
            yield return Drop(x, dropped, part);
            yield return new GemmForwardCall
            {
                A = dropped,
                B = W(part.A).Rows(part.FirstRank, part.Rank),
                C = RanksOf(LowRank, part),
            };
        }
    }

    private static DropoutCall Drop(Operand x, Operand y, in AdaptedRows part) =>
        new()
        {
            X = x,
            Y = y,
            Rate = part.Dropout,
            Module = part.B,
        };

    private static Operand RanksOf(TensorName tensor, in AdaptedRows part) =>
        new Operand(tensor, part.Matrix).Columns(part.FirstRank, part.Rank);
}
