using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Benchmarks;

/// <summary>
/// What a user waits for and how much memory that takes: `dataflow plan`, `dataflow verify` and a heatmap by `dataflow simulate --batch` as
/// processes of their own.
/// </summary>
internal static partial class PlanCosts
{
    private const int Runs = 3;
    private const int PollMilliseconds = 2;
    private const double HeatmapLimit = 30;
    private static readonly Bytes MemoryLimit = new(1L << 30);

    private sealed record Run(double Seconds, double ProcessorSeconds, Bytes Peak);

    /// <summary>All cases, both verbs.</summary>
    public static Result Measure()
    {
        string program = Locations.Find("bin", "dataflow") ?? throw new UserErrorException("bin/dataflow is missing; run `make build`");
        var rows = new List<(string[], JsonObject)>();
        foreach (var plan in PlanCase.All)
        {
            foreach (string verb in new[] { "plan", "verify" })
            {
                var runs = Enumerable.Range(0, Runs).Select(_ => Once(program, [verb, .. plan.Options])).ToList();
                rows.Add(Row(plan.ToString(), verb, plan.Limit, runs));
            }
        }

        rows.Add(Heatmap(program));

        return new Result(
            "What planning costs",
            $"`dataflow plan` and `dataflow verify` in bf16 by policy auto for an H100, and a heatmap of 42 budgets, as a user runs them, "
                + $"nothing remembered: start of the runtime, compilation of its code, planning, proof and output. Of {Runs} runs the "
                + $"shortest, "
                + $"and the largest peak of resident memory (VmHWM, read every {PollMilliseconds} ms until the end). Processor time is "
                + $"user and system of the shortest run; it is close to what an idle machine takes.",
            ["case", "verb", "time", "processor time", "limit", "peak memory", "limit", "within"],
            rows);
    }

    /// <summary>8b at 8,192 over six budgets of host and seven of device memory.</summary>
    private static (string[], JsonObject) Heatmap(string program)
    {
        int[] hosts = [48, 64, 80, 96, 112, 144], devices = [8, 12, 16, 24, 40, 60, 78];
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllLines(file, hosts.SelectMany(h => devices.Select(d =>
                $$"""{"model": "8b", "seqlen": 8192, "host_memory": {{h}}, "device_memory": {{d}}, "hardware": "h100"}""")));
            var runs = Enumerable.Range(0, Runs).Select(_ => Once(program, ["simulate", "--batch", file, "--no-cache"])).ToList();
            return Row("heatmap of 8b at 8192 on an H100, 42 cells", "simulate", HeatmapLimit, runs);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static (string[], JsonObject) Row(string name, string verb, double limit, List<Run> runs)
    {
        var shortest = runs.MinBy(r => r.Seconds)!;
        var peak = runs.Max(r => r.Peak);
        bool within = shortest.Seconds < limit && peak < MemoryLimit;
        string[] cells =
        [
            name,
            verb,
            $"{shortest.Seconds:0.00} s",
            $"{shortest.ProcessorSeconds:0.00} s",
            $"{limit:0} s",
            peak.ToString(),
            MemoryLimit.ToString(),
            within ? "yes" : "no",
        ];
        return (
            cells,
            new JsonObject
            {
                ["case"] = name,
                ["verb"] = verb,
                ["seconds"] = Math.Round(shortest.Seconds, 3),
                ["processor_seconds"] = Math.Round(shortest.ProcessorSeconds, 3),
                ["seconds_of_all_runs"] = new JsonArray([.. runs.Select(r => JsonValue.Create(Math.Round(r.Seconds, 3)))]),
                ["limit_seconds"] = limit,
                ["peak_bytes"] = peak.Value,
                ["limit_bytes"] = MemoryLimit.Value,
                ["within"] = within,
            }
        );
    }

    private static Run Once(string program, string[] arguments)
    {
        double before = ChildrenSeconds();
        var clock = Stopwatch.StartNew();
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        long peak = 0;
        do
        {
            peak = Math.Max(peak, HighWaterMark(process.Id));
        }
        while (!process.WaitForExit(PollMilliseconds));
        double seconds = clock.Elapsed.TotalSeconds;
        return process.ExitCode == 0
            ? new Run(seconds, ChildrenSeconds() - before, new Bytes(peak))
            : throw new FailedException($"dataflow {string.Join(' ', arguments)} ended with {process.ExitCode}");
    }

    private static long HighWaterMark(int process)
    {
        try
        {
            string? line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null
                ? 0
                : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
        }
        catch (IOException)
        {
            return 0; // it has just ended
        }
    }

    /// <summary>Processor time of the children that have ended.</summary>
    private static double ChildrenSeconds()
    {
        const int RusageChildren = -1;
        Span<long> usage = stackalloc long[32];
        return ResourceUsage(RusageChildren, ref usage[0]) == 0 ? usage[0] + usage[2] + ((usage[1] + usage[3]) / 1e6) : double.NaN;
    }

    [LibraryImport("libc", EntryPoint = "getrusage")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ResourceUsage(int who, ref long usage);
}
