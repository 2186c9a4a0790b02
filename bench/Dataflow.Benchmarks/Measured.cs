using System.Text.Json.Nodes;
using BenchmarkDotNet.Reports;

namespace Dataflow.Benchmarks;

/// <summary>One benchmark's figures, times in nanoseconds.</summary>
internal sealed record Measured(string Method, object Case, double Mean, double Deviation, long Allocated)
{
    /// <summary>What was measured, by case in the given order, then method; what failed is left out, with a word to the user.</summary>
    public static IReadOnlyList<Measured> Of(Summary summary, IEnumerable<object> inOrder)
    {
        foreach (var failed in summary.Reports.Where(r => r.ResultStatistics is null))
        {
            Console.Error.WriteLine($"{failed.BenchmarkCase.DisplayInfo} failed; see artifacts/benchmarks");
        }

        var cases = inOrder.ToList();
        return
        [
            .. summary
                .Reports.Where(r => r.ResultStatistics is not null)
                .OrderBy(r => cases.IndexOf(r.BenchmarkCase.Parameters["Case"]))
                .ThenBy(r => r.BenchmarkCase.Descriptor.WorkloadMethod.MetadataToken)
                .Select(r => new Measured(
                    r.BenchmarkCase.Descriptor.WorkloadMethod.Name,
                    r.BenchmarkCase.Parameters["Case"],
                    r.ResultStatistics!.Mean,
                    r.ResultStatistics.StandardDeviation,
                    r.GcStats.GetBytesAllocatedPerOperation(r.BenchmarkCase) ?? 0
                )),
        ];
    }

    /// <summary>One row for machines.</summary>
    public JsonObject ToJson(string name, params (string Key, JsonNode Value)[] more)
    {
        var fields = new JsonObject
        {
            ["case"] = name,
            ["what"] = Method,
            ["mean_ns"] = Math.Round(Mean),
            ["deviation_ns"] = Math.Round(Deviation),
            ["allocated_bytes"] = Allocated,
        };
        foreach (var (key, value) in more)
        {
            fields[key] = value;
        }

        return fields;
    }
}
