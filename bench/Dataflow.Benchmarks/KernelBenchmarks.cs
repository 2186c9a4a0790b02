using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Reports;

namespace Dataflow.Benchmarks;

/// <summary>The CPU's kernels, on as many threads as there are processors.</summary>
public class KernelBenchmarks
{
    private Operands operands = null!;
    private Action run = null!;

    /// <summary>What is measured.</summary>
    public static IEnumerable<KernelCase> Cases => KernelCases.All;

    /// <summary>What is measured now.</summary>
    [ParamsSource(nameof(Cases))]
    public KernelCase Case { get; set; } = null!;

    /// <summary>Threads and operands.</summary>
    [GlobalSetup]
    public void Setup()
    {
        operands = Operands.WithTeam();
        run = Case.Prepare(operands);
    }

    /// <summary>Frees both.</summary>
    [GlobalCleanup]
    public void Cleanup() => operands.Dispose();

    /// <summary>The kernel.</summary>
    [Benchmark]
    public void Kernel() => run();

    /// <summary>The table, in the order of cases.</summary>
    internal static Result Result(Summary summary) =>
        new(
            "CPU kernels",
            $"{Environment.ProcessorCount} threads. Mean and standard deviation. Matrix products count 2MNK FLOPs; attention 2TThd "
                + $"(forward) and 5TThd (backward) a query head, "
                + "causal halves counted once, nothing for what is recomputed; the others count each operand's bytes once a read and once "
                + "a write. Copy is there to compare with; it is no ceiling, since operands may stay in caches.",
            ["kernel", "shape", "type", "mean", "deviation", "rate"],
            [.. Measured.Of(summary, Cases).Select(m => Row((KernelCase)m.Case, m))]
        );

    private static (string[], System.Text.Json.Nodes.JsonObject) Row(KernelCase kernel, Measured m)
    {
        // Per nanosecond, so in units of 10^9 a second.
        double rate = kernel.Work / m.Mean;
        string unit = kernel.Unit == WorkUnit.Flop ? "GFLOP/s" : "GB/s";
        string[] cells =
        [
            kernel.Kernel,
            kernel.Shape,
            kernel.Type,
            Benchmarks.Result.Duration(m.Mean),
            Benchmarks.Result.Duration(m.Deviation),
            $"{rate:0.0} {unit}",
        ];
        return (cells, m.ToJson(kernel.ToString(), ("rate", Math.Round(rate, 2)), ("unit", unit)));
    }
}
