using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda.Kernels;

/// <summary>A matrix product as a step will ask for it; of addresses their alignment counts.</summary>
internal readonly record struct Product(Tensor A, Transpose TransposeA, Tensor B, Transpose TransposeB, Tensor C, bool Adds)
{
    /// <summary>A row of the result's type is added to each of its rows.</summary>
    public bool HasBias { get; init; }
}

/// <summary>All matrix products of block programs, so that algorithms are chosen before the first step.</summary>
internal static class Products
{
    /// <summary>Those of a schedule.</summary>
    public static IEnumerable<Product> Of(Schedule schedule, Workload workload)
    {
        var runner = new OpRunner(schedule, workload, [.. schedule.Arenas.Select(_ => (nuint)0)], []);
        runner.Prepare();
        return Of(runner, workload);
    }

    /// <summary>Those of what a schedule's ops run.</summary>
    public static IEnumerable<Product> Of(OpRunner runner, Workload workload) =>
        [
            .. runner.Programs.SelectMany(p => Of(p, workload.Geometry)),
            .. runner.Matrices.SelectMany(m => Of(m, NewtonSchulz.Muon, workload.Recipe.Activations)),
        ];

    /// <summary>Those of a program, in every shape in which it may run: the head's last sub-chunk may be shorter than the others.</summary>
    public static IEnumerable<Product> Of(BlockProgram program, Geometry geometry)
    {
        bool bySubChunk = program.SubChunkCalls > 0;
        int last = geometry.ChunkTokens % geometry.HeadTokens;
        ImmutableArray<int> tokens =
            !bySubChunk ? [geometry.ChunkTokens]
            : last == 0 ? [geometry.HeadTokens]
            : [geometry.HeadTokens, last];
        return tokens.SelectMany(t => program.Calls.SelectMany(c => Of(c, program, t)));
    }

    /// <summary>Those of an update by Muon of such a matrix.</summary>
    public static IEnumerable<Product> Of(MuonMatrix matrix, NewtonSchulz iteration, DType type)
    {
        var products = new NewtonSchulzProducts(matrix, iteration, type, 0);
        GemmArguments[] calls = [products.Gram(0), products.Polynomial(0), products.Next(0)];
        return calls.Select(c => new Product(c.A, c.TransposeA, c.B, c.TransposeB, c.C, c.Addend is not null));
    }

    private static IEnumerable<Product> Of(KernelCall call, BlockProgram program, int tokens)
    {
        Tensor At(Operand operand)
        {
            var place = program.Places[operand];
            bool weight = operand.Tensor is TensorName.Weight or TensorName.WeightGradient or TensorName.DenseWeight;
            return new Tensor((nuint)place.Offset.Value, place.Type, weight ? (int)place.Rows : tokens, (int)place.Columns)
            {
                Stride = (int)place.Stride,
            };
        }

        bool[] addsOrNot = [false, true];
        return call switch
        {
            GemmForwardCall c =>
            [
                new(At(c.A), Transpose.No, At(c.B), Transpose.Yes, At(c.C), c.Addend is not null) { HasBias = c.Bias is not null },
            ],
            GemmInputGradientCall { Sums: false } c => [new(At(c.A), Transpose.No, At(c.B), Transpose.No, At(c.C), c.Adds)],
            GemmInputGradientCall c => addsOrNot.Select(adds => new Product(At(c.A), Transpose.No, At(c.B), Transpose.No, At(c.C), adds)),
            GemmWeightGradientCall c => addsOrNot.Select(adds => new Product(At(c.A), Transpose.Yes, At(c.B), Transpose.No, At(c.C), adds)),
            _ => [],
        };
    }
}
