using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <content>The same of products of experts: h of a row is its own expert's A times it.</content>
internal static partial class AdapterCalls
{
    private static IEnumerable<KernelCall> LowRankProducts(GroupedGemmForwardCall product, ImmutableArray<AdaptedRows> parts)
    {
        if (parts.IsEmpty)
        {
            yield break;
        }

        yield return Down(product.A, product.ExpertRows, parts[0]);
        foreach (var part in parts)
        {
            yield return new GroupedGemmForwardCall
            {
                A = RanksOf(LowRank, part),
                B = W(part.B),
                ExpertRows = product.ExpertRows,
                C = product.C.Columns(part.FirstRow, part.Rows),
                Adds = true,
                Scale = part.Scale,
            };
        }
    }

    private static IEnumerable<KernelCall> InputGradients(GroupedGemmInputGradientCall product, ImmutableArray<AdaptedRows> parts)
    {
        if (parts.IsEmpty)
        {
            yield break;
        }

        foreach (var part in parts)
        {
            yield return new GroupedGemmInputGradientCall
            {
                A = product.A.Columns(part.FirstRow, part.Rows),
                B = W(part.B),
                ExpertRows = product.ExpertRows,
                C = RanksOf(GradLowRank, part),
                Scale = product.Scale * part.Scale,
            };
        }

        yield return new GroupedGemmInputGradientCall
        {
            A = new Operand(GradLowRank, parts[0].Matrix),
            B = W(parts[0].A),
            ExpertRows = product.ExpertRows,
            C = product.C,
            Adds = true,
        };
    }

    private static IEnumerable<KernelCall> WeightGradients(GroupedGemmWeightGradientCall product, ImmutableArray<AdaptedRows> parts)
    {
        if (parts.IsEmpty)
        {
            yield break;
        }

        yield return Down(product.B, product.ExpertRows, parts[0]);
        foreach (var part in parts)
        {
            yield return new GroupedGemmWeightGradientCall
            {
                A = product.A.Columns(part.FirstRow, part.Rows),
                B = RanksOf(LowRank, part),
                ExpertRows = product.ExpertRows,
                C = G(part.B),
                Scale = product.Scale * part.Scale,
            };
        }

        yield return new GroupedGemmWeightGradientCall
        {
            A = new Operand(GradLowRank, parts[0].Matrix),
            B = product.B,
            ExpertRows = product.ExpertRows,
            C = G(parts[0].A),
        };
    }

    private static GroupedGemmForwardCall Down(Operand x, Operand expertRows, in AdaptedRows part) =>
        new()
        {
            A = x,
            B = W(part.A),
            ExpertRows = expertRows,
            C = new Operand(LowRank, part.Matrix),
        };
}
