using System.Globalization;
using System.Text.Json.Nodes;

namespace Dataflow.Benchmarks;

/// <summary>Each kernel on one thread beside what that thread could reach, by what it took of its processor.</summary>
internal static class KernelRateTable
{
    private const int Turns = 7;
    private const long LeastNanoseconds = 20_000_000;
    private const string Filter = "--filter";

    /// <summary>The table; after <c>--filter</c>, of kernels whose names or shapes contain that text.</summary>
    public static Result Measure(List<string> options)
    {
        string wanted = Wanted(options);
        using var own = Operands.WithTeam(1);
        var ceilings = new Ceilings(own);
        var rows = new List<(string[], JsonObject)>();
        foreach (var kernel in KernelCases.All.Where(c => $"{c}".Contains(wanted, StringComparison.OrdinalIgnoreCase)))
        {
            rows.Add(Row(kernel, Best(kernel, ceilings), ceilings));
            Console.Error.WriteLine(string.Join("  ", rows[^1].Item1));
        }

        return new Result(
            "CPU kernels beside what one thread can reach",
            $"One thread, timed by what it took of its processor; the best of {Turns} turns, between which the ceilings were measured; the "
                + "best of these stays. FLOPs and bytes as in kernels.md. Ceiling: fused multiply-adds of 512-bit vectors in registers, "
                + "twice that in bf16, or a copy of 64 MiB, which operands in a cache may pass.",
            ["kernel", "shape", "type", "time", "rate", "ceiling", "of ceiling"],
            rows);
    }

    /// <summary>What follows <c>--filter</c>; nothing where it is not there.</summary>
    public static string Wanted(List<string> options) => options is [Filter, var text] ? text.Trim('*') : "";

    private static double Best(KernelCase kernel, Ceilings ceilings)
    {
        using var operands = Operands.WithTeam(1);
        var run = kernel.Prepare(operands);
        run();
        int times = (int)(LeastNanoseconds / Math.Max(ThreadClock.Of(run), 1)) + 1;
        double best = double.PositiveInfinity;
        for (int turn = 0; turn < Turns; turn++)
        {
            ceilings.Measure();
            best = Math.Min(best, (double)ThreadClock.Of(() => Repeat(run, times)) / times);
        }

        return best;
    }

    private static void Repeat(Action run, int times)
    {
        for (int i = 0; i < times; i++)
        {
            run();
        }
    }

    private static (string[], JsonObject) Row(KernelCase kernel, double nanoseconds, Ceilings ceilings)
    {
        bool computes = kernel.Unit == WorkUnit.Flop;
        double rate = kernel.Work / nanoseconds;
        double ceiling = !computes ? ceilings.Copied : kernel.Type == "bf16" ? 2 * ceilings.Flops : ceilings.Flops;
        string unit = computes ? "GFLOP/s" : "GB/s";
        string Text(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);
        return (
            [
                kernel.Kernel, kernel.Shape, kernel.Type, Result.Duration(nanoseconds), $"{Text(rate)} {unit}", Text(ceiling),
                $"{Text(100 * rate / ceiling)}%",
            ],
            new JsonObject
            {
                ["kernel"] = kernel.Kernel, ["shape"] = kernel.Shape, ["type"] = kernel.Type, ["nanoseconds"] = Math.Round(nanoseconds),
                ["rate"] = Math.Round(rate, 2), ["unit"] = unit, ["ceiling"] = Math.Round(ceiling, 2),
            });
    }
}
