using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Benchmarks;

/// <summary>Products of 128 experts over even and uneven groups of rows beside one product of as many FLOPs; in turns.</summary>
internal static unsafe class GroupedComparison
{
    private const int Experts = 128;
    private const int Rows = 8192;
    private const int Width = 1024;
    private const int Height = 768;
    private const int Turns = 5;

    private static readonly string[] s_products = ["forward", "input gradient", "weight gradient"];

    // How many rows an expert has, of so many experts in falling order; the others share what is left.
    private static readonly (string Name, Func<int, double> Share)[] s_groups =
    [
        ("even", _ => 1),
        ("uneven: half of the rows are of 13 experts", e => 1 / (e + 6.0)),
        ("very uneven: half of the rows are of 3 experts", e => Math.Pow(0.5, e / 3.0) + 0.004),
    ];

    /// <summary>The table.</summary>
    public static Result Measure()
    {
        var rows = new List<(string[], JsonObject)>();
        foreach (var type in new[] { DType.Float32, DType.BFloat16 })
        {
            using var team = new ThreadTeam(1);
            using var operands = Operands.WithTeam();
            var of = new Memory(operands, type);
            foreach (var (name, share) in s_groups)
            {
                int* first = operands.Integers(Experts + 1, 1);
                FirstRows(share, first);
                for (int product = 0; product < s_products.Length; product++)
                {
                    rows.Add(Compare(team, of, type, (name, (nuint)first), product));
                    Console.Error.WriteLine(string.Join("  ", rows[^1].Item1));
                }
            }
        }

        return new Result(
            "Products of experts",
            $"{Rows} rows of {Width} numbers, those of {Experts} experts one behind the other, times each expert's {Height} x {Width} "
                + $"matrix, and the two products of its backward; beside it one product of all rows with one such matrix: as many FLOPs. "
                + $"On one thread, by its processor time, which others on the machine do not take. The best of {Turns} turns of each.",
            ["type", "groups", "product", "experts", "one product", "ratio"],
            rows
        );
    }

    private static (string[] Cells, JsonObject Fields) Compare(
        ThreadTeam team, Memory of, DType type, (string Name, nuint First) groups, int product)
    {
        double grouped = double.MaxValue, one = double.MaxValue;
        for (int turn = 0; turn < Turns; turn++)
        {
            grouped = Math.Min(grouped, Seconds(() => Grouped(team, of, groups.First, product)));
            one = Math.Min(one, Seconds(() => One(team, of, product)));
        }

        return (
            [
                type.Name(),
                groups.Name,
                s_products[product],
                Result.Duration(grouped * 1e9),
                Result.Duration(one * 1e9),
                (grouped / one).ToString("0.00", CultureInfo.InvariantCulture),
            ],
            new JsonObject
            {
                ["type"] = type.Name(),
                ["groups"] = groups.Name,
                ["product"] = s_products[product],
                ["experts_ns"] = Math.Round(grouped * 1e9),
                ["one_ns"] = Math.Round(one * 1e9),
                ["ratio"] = Math.Round(grouped / one, 3),
            }
        );
    }

    private static void Grouped(ThreadTeam team, Memory of, nuint first, int product)
    {
        if (product == 2)
        {
            GroupedGemm.WeightGradient(
                team,
                new GroupedGemmWeightGradientArguments
                {
                    A = of.Y,
                    B = of.X,
                    ExpertRows = first,
                    Experts = Experts,
                    C = of.GradW,
                    Accumulate = false,
                    Scale = 1,
                });
            return;
        }

        GroupedGemm.Run(
            team,
            new GroupedGemmArguments
            {
                A = product == 0 ? of.X : of.Y,
                B = of.W,
                TransposeB = product == 0 ? Transpose.Yes : Transpose.No,
                ExpertRows = first,
                Experts = Experts,
                C = product == 0 ? of.Y : of.X,
                Accumulate = false,
                Scale = 1,
            });
    }

    private static void One(ThreadTeam team, Memory of, int product)
    {
        Matrix x = new(of.X), y = new(of.Y), w = new Matrix(of.W).RowRange(0, Height), gradient = new Matrix(of.GradW).RowRange(0, Height);
        switch (product)
        {
            case 0:
                Gemm.Run(team, x, Transpose.No, w, Transpose.Yes, y, null);
                break;
            case 1:
                Gemm.Run(team, y, Transpose.No, w, Transpose.No, x, null);
                break;
            default:
                Gemm.Run(team, y, Transpose.Yes, x, Transpose.No, gradient, null);
                break;
        }
    }

    /// <summary>Whole rows, as near to the shares as can be, each expert's in turn.</summary>
    private static void FirstRows(Func<int, double> share, int* first)
    {
        double all = Enumerable.Range(0, Experts).Sum(share), sum = 0;
        for (int e = 0; e < Experts; e++)
        {
            first[e] = (int)Math.Round(Rows * sum / all);
            sum += share(e);
        }

        first[Experts] = Rows;
    }

    private static double Seconds(Action pass)
    {
        var start = Environment.CpuUsage.TotalTime;
        pass();
        return (Environment.CpuUsage.TotalTime - start).TotalSeconds;
    }

    private sealed class Memory(Operands operands, DType type)
    {
        public Tensor X { get; } = operands.Tensor(type, Rows, Width);

        public Tensor W { get; } = operands.Tensor(type, Experts * Height, Width);

        public Tensor GradW { get; } = operands.Tensor(type, Experts * Height, Width);

        public Tensor Y { get; } = operands.Tensor(type, Rows, Height);
    }
}
