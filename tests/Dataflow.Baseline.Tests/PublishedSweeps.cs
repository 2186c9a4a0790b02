using System.Globalization;
using Dataflow.Model;
using Dataflow.Baseline;

namespace Dataflow.Baseline.Tests;

/// <summary>A row of bench/published/published_sweeps.csv, by column.</summary>
internal sealed record PublishedRow(IReadOnlyDictionary<string, string> Columns)
{
    public string this[string column] => Columns[column];

    /// <summary>A configuration that could not run has zeros.</summary>
    public bool Ran => Number("avg_step_time") > 0;

    public BaselineRequest Request => new(
        Models.Load(this["model_size"] + "b"),
        BaselineMachine.All.Single(m => m.Name == this["machine"]),
        int.Parse(this["seq_len"], CultureInfo.InvariantCulture),
        new MemoryBudget(Bytes.FromGiB(Number("host_mem_gb")), Bytes.FromGiB(Number("dev_mem_gb"))));

    public double Number(string column) => double.Parse(this[column], CultureInfo.InvariantCulture);

    public override string ToString() =>
        $"{this["machine"]} {this["model_size"]}b, {this["host_mem_gb"]} and {this["dev_mem_gb"]} GiB, seqlen {this["seq_len"]}";
}

/// <summary>All rows, and what policy reference makes of them.</summary>
internal static class PublishedSweeps
{
    private static readonly Lazy<IReadOnlyList<(PublishedRow Row, BaselineResult Result)>> s_planned =
        new(() => [.. Read().Select(row => (row, BaselinePlanner.Plan(row.Request)))]);

    public static IReadOnlyList<(PublishedRow Row, BaselineResult Result)> Planned => s_planned.Value;

    /// <summary>The rows that ran, with our plans of them.</summary>
    public static IEnumerable<(PublishedRow Row, BaselinePlan Plan)> Ran =>
        Planned.Where(p => p.Row.Ran).Select(p => (p.Row, Assert.IsType<BaselineResult.Feasible>(p.Result).Plan));

    private static IEnumerable<PublishedRow> Read()
    {
        string[] lines = Checkout
            .Read("bench", "published", "published_sweeps.csv")
            .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string[] names = lines[0].Split(',');
        return lines.Skip(1).Select(line => new PublishedRow(names.Zip(line.Split(',')).ToDictionary(c => c.First, c => c.Second)));
    }
}
