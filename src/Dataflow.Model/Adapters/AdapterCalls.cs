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
                        GemmInputGradientCall c => [c, .. InputGradients(c, adapter.Of(c.B.Weight))],
                        GemmWeightGradientCall c => [c, .. WeightGradients(c, adapter.Of(c.C.Weight))],
                        _ => [call],
                    }
                ),
            ];

    private static IEnumerable<KernelCall> Followed(LayerAdapter adapter, KernelCall call)
    {
        yield return call;
        if (call is not GemmForwardCall product || adapter.Of(product.B.Weight) is not [_, ..] parts)
        {
            yield break;
        }

        yield return Down(product.A, product.B.Weight);
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
                A = new Operand(GradLowRank, product.B.Weight),
                B = W(AdaptedRows.NameOfA(product.B.Weight)),
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

        var matrix = product.C.Weight;
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
