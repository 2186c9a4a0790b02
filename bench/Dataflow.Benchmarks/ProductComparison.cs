using System.Diagnostics;
using System.Globalization;
using System.Runtime.Intrinsics;
using System.Text.Json.Nodes;
using Dataflow.Cpu.Kernels;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Benchmarks;

/// <summary>Products of few rows with weights from memory: reading alone, by tiles, and as they are run; in turns.</summary>
internal static unsafe class ProductComparison
{
    private const int Turns = 15;
    private const int MostProducts = 400;
    private const long Bytes = 200 << 20;

    // One token, and some, through a model of 135 million parameters: keys, queries, gate and up, down, head.
    private static readonly (int N, int K)[] s_weights = [(192, 576), (576, 576), (3072, 576), (576, 1536), (49152, 576)];
    private static readonly int[] s_rows = [1, 2, 4, 8, 12, 16, 20, 24];

    /// <summary>The table.</summary>
    public static Result Measure()
    {
        using var operands = Operands.WithTeam();
        var rows = new List<(string[], JsonObject)>();
        foreach (var type in new[] { DType.BFloat16, DType.Float32 })
        {
            byte* weights = operands.Matrix(type, 1, (int)(Bytes / type.Size())).Data;
            foreach (int m in s_rows)
            {
                foreach (var (n, k) in s_weights)
                {
                    rows.Add(Compare(operands, weights, type, m, n, k));
                    Console.Error.WriteLine(string.Join("  ", rows[^1].Item1));
                }
            }
        }

        return new Result(
            "Products of few rows",
            $"c (M x N, fp32) = a (M x K, fp32) b', on {operands.Team.Threads} threads. Weights b, N x K in the type named, follow one "
                + $"another in {Bytes >> 20} MiB of memory, at most {MostProducts} of them. {Turns} turns: the memory of all is "
                + "read, then all products are taken by tiles, then by the way for few rows. The best turn of each; GB/s of weights "
                + "(10^9 bytes). Ratio: tiles over few rows, in time; share: few rows over reading, in GB/s.",
            ["type", "M", "N", "K", "reading, GB/s", "tiles", "tiles, GB/s", "few rows", "few rows, GB/s", "ratio", "share"],
            rows
        );
    }

    private static (string[] Cells, JsonObject Fields) Compare(Operands operands, byte* weights, DType type, int m, int n, int k)
    {
        long size = (long)n * k * type.Size();
        int count = (int)Math.Clamp(Bytes / size, 1, MostProducts);
        var (team, a, c) = (operands.Team, operands.Matrix(DType.Float32, m, k), operands.Matrix(DType.Float32, m, n));
        GemmResult to = new(c);
        int pieces = (int)Math.Max(size * count / Reading.Bytes, 1);
        double reading = double.MaxValue, tiles = double.MaxValue, fewRows = double.MaxValue;
        for (int turn = 0; turn < Turns; turn++)
        {
            reading = Math.Min(reading, Seconds(() => team.For(pieces, new Reading(weights, c.Data))) / pieces);
            tiles = Math.Min(tiles, Seconds(() => All((in Matrix b) => Tiles(team, a, b, to))) / count);
            fewRows = Math.Min(fewRows, Seconds(() => All((in Matrix b) => FewRows(team, a, b, to))) / count);
        }

        void All(Product product)
        {
            for (int i = 0; i < count; i++)
            {
                product(new Matrix(weights + (i * size), type, n, k));
            }
        }

        return Row(type, (m, n, k), size, Reading.Bytes / reading / 1e9, tiles, fewRows);
    }

    private delegate void Product(in Matrix b);

    private static (string[] Cells, JsonObject Fields) Row(
        DType type, (int M, int N, int K) shape, long size, double reading, double tiles, double fewRows)
    {
        string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
        double Rate(double seconds) => size / seconds / 1e9;
        return (
            [
                type.Name(),
                $"{shape.M}",
                $"{shape.N}",
                $"{shape.K}",
                Text(reading, "0.0"),
                Result.Duration(tiles * 1e9),
                Text(Rate(tiles), "0.0"),
                Result.Duration(fewRows * 1e9),
                Text(Rate(fewRows), "0.0"),
                Text(tiles / fewRows, "0.00"),
                Text(Rate(fewRows) / reading, "0.00"),
            ],
            new JsonObject
            {
                ["type"] = type.Name(),
                ["m"] = shape.M,
                ["n"] = shape.N,
                ["k"] = shape.K,
                ["reading_gb_per_sec"] = Math.Round(reading, 2),
                ["tiles_ns"] = Math.Round(tiles * 1e9),
                ["few_rows_ns"] = Math.Round(fewRows * 1e9),
                ["ratio"] = Math.Round(tiles / fewRows, 3),
            }
        );
    }

    private static void Tiles(ThreadTeam team, Matrix a, Matrix b, in GemmResult to)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Gemm.Run<MicroKernel512>(team, a, Transpose.No, b, Transpose.Yes, to);
        }
        else
        {
            Gemm.Run<MicroKernel256>(team, a, Transpose.No, b, Transpose.Yes, to);
        }
    }

    private static void FewRows(ThreadTeam team, Matrix a, Matrix b, in GemmResult to)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Gemm.RunFewRows<FewRowsKernel512>(team, a, Transpose.No, b, to);
        }
        else
        {
            Gemm.RunFewRows<FewRowsKernel256>(team, a, Transpose.No, b, to);
        }
    }

    private static double Seconds(Action pass)
    {
        long start = Stopwatch.GetTimestamp();
        pass();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Reads a piece of memory and does as little with it as the compiler lets it.</summary>
    private readonly struct Reading(byte* from, byte* to) : IJob
    {
        public const int Bytes = 1 << 20;

        public void Run(int index, int worker)
        {
            byte* p = from + ((long)index * Bytes);
            Vector512<int> first = default, second = default, third = default, fourth = default;
            for (byte* end = p + Bytes; p < end; p += 256)
            {
                first |= Vector512.Load((int*)p);
                second |= Vector512.Load((int*)(p + 64));
                third |= Vector512.Load((int*)(p + 128));
                fourth |= Vector512.Load((int*)(p + 192));
            }

            ((first | second) | (third | fourth)).Store((int*)(to + (worker * 64 % 512)));
        }
    }
}
