using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <summary>
/// Adds an adapter to the calls of a block. Each product with an adapted matrix is followed by those of low rank: h = A x once for all
/// tensors of the matrix, and B h into the columns of its result that are that tensor's rows. The way back computes h anew, of which a
/// product costs less than the memory that would keep it.
/// </summary>
internal static class AdapterCalls
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
                        GemmInputGradientCall c => [c, .. InputGradients(c, adapter.Of(MatrixOf(c.B)))],
                        GemmWeightGradientCall c => [c, .. WeightGradients(c, adapter.Of(MatrixOf(c.C)))],
                        _ => [call],
                    }
                ),
            ];

    private static IEnumerable<KernelCall> Followed(LayerAdapter adapter, KernelCall call)
    {
        yield return call;
        if (call is not GemmForwardCall product || adapter.Of(MatrixOf(product.B)) is not [_, ..] parts)
        {
            yield break;
        }

        yield return Down(product.A, MatrixOf(product.B));
        foreach (var part in parts)
        {
            var columns = product.C.Columns(part.FirstRow, part.Rows);
            yield return new GemmForwardCall
            {
                A = RanksOf(LowRank, part),
                B = W(part.B),
                C = columns,
                Addend = columns,
                Scale = product.Scale * part.Scale,
            };
        }
    }

    /// <summary>The gradient of h, and from it what is added to that of the product's input.</summary>
    private static IEnumerable<KernelCall> InputGradients(GemmInputGradientCall product, ImmutableArray<AdaptedRows> parts)
    {
        foreach (var part in parts)
        {
            yield return new GemmInputGradientCall
            {
                A = product.A.Columns(part.FirstRow, part.Rows),
                B = W(part.B),
                C = RanksOf(GradLowRank, part),
                Scale = product.Scale * part.Scale,
            };
        }

        if (!parts.IsEmpty)
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

        var matrix = MatrixOf(product.C);
        yield return Down(product.B, matrix);
        foreach (var part in parts)
        {
            yield return new GemmWeightGradientCall
            {
                A = product.A.Columns(part.FirstRow, part.Rows),
                B = RanksOf(LowRank, part),
                C = G(part.B),
                Scale = product.Scale * part.Scale,
            };
        }

        yield return new GemmWeightGradientCall
        {
            A = new Operand(GradLowRank, matrix),
            B = product.B,
            C = G(AdaptedRows.NameOfA(matrix)),
        };
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

    /// <summary>A tied head multiplies by the table, of which the embedding makes no products.</summary>
    private static WeightName MatrixOf(Operand weight) =>
        weight.Weight == WeightName.EmbeddingTable ? WeightName.HeadMatrix : weight.Weight;

    private static GemmForwardCall Down(Operand x, WeightName matrix) =>
        new()
        {
            A = x,
            B = W(AdaptedRows.NameOfA(matrix)),
            C = new Operand(LowRank, matrix),
        };

    private static Operand RanksOf(TensorName tensor, in AdaptedRows part) =>
        new Operand(tensor, part.Matrix).Columns(part.FirstRank, part.Rank);
}
