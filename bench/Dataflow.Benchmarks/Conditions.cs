using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Benchmarks;

/// <summary>What a figure holds for: the sources, the machine, and what else it was doing.</summary>
internal sealed record Conditions(string Commit, string Processor, int Cores, Bytes Memory, string Runtime, int VectorBits, string Load)
{
    /// <summary>As of now.</summary>
    public static Conditions Now() =>
        new(
            CommitOfCheckout(),
            Field("/proc/cpuinfo", "model name") ?? RuntimeInformation.ProcessArchitecture.ToString(),
            Environment.ProcessorCount,
            Field("/proc/meminfo", "MemTotal") is { } total
                ? new Bytes(long.Parse(total.Split(' ')[0], CultureInfo.InvariantCulture) << 10)
                : new Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes),
            RuntimeInformation.FrameworkDescription,
            Vector512.IsHardwareAccelerated ? 512
                : Vector256.IsHardwareAccelerated ? 256
                : 128,
            LoadAverage()
        );

    /// <summary>Lines for people.</summary>
    public IEnumerable<string> Lines =>
        [
            $"- commit {Commit}",
            $"- machine: {Processor}, {Cores} cores, {Memory.GiB:0} GiB of memory, {VectorBits}-bit vectors, {Runtime}",
            $"- load average of the last minute: {Load} at the start, {LoadAverage()} at the end, of which this benchmark is one part; "
                + $"above the {Cores} cores, others were using them and times are longer than they need be",
        ];

    /// <summary>The same for machines.</summary>
    public JsonObject ToJson() => new()
    {
        ["commit"] = Commit,
        ["processor"] = Processor,
        ["cores"] = Cores,
        ["memory_bytes"] = Memory.Value,
        ["vector_bits"] = VectorBits,
        ["runtime"] = Runtime,
        ["load_average_at_start"] = Load,
        ["load_average_at_end"] = LoadAverage(),
    };

    private static string CommitOfCheckout() => Git("rev-parse", "--short=12", "HEAD") is not { } commit ? "unknown"
        : Git("status", "--porcelain", "--", "src", "bench/Dataflow.Benchmarks") is null or "" ? commit
        : $"{commit} with changes";

    private static string? Git(params string[] arguments)
    {
        try
        {
            using var git = Process.Start(
                new ProcessStartInfo("git", ["-c", "safe.directory=*", .. arguments])
                {
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                }
            )!;
            string output = git.StandardOutput.ReadToEnd().Trim();
            git.WaitForExit();
            return git.ExitCode == 0 ? output : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null; // there is no git here
        }
    }

    private static string LoadAverage() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";

    private static string? Field(string file, string name) => !File.Exists(file) ? null
        : File.ReadLines(file).FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal))?.Split(':', 2)[1].Trim();
}
