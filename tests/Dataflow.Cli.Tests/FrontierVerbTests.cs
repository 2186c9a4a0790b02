using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow frontier: its points are budgets that dataflow plan accepts.</summary>
[Trait("Slow", "true")]
public class FrontierVerbTests
{
    private static string Program => Path.Combine(Programs.Root, "bin", "dataflow");

    private static Outcome Dataflow(params string[] arguments) => Programs.Run(Program, arguments);

    [Fact]
    public void Points_can_be_planned()
    {
        var outcome = Dataflow("frontier", "nano", "--seqlen", "128,512", "--dtype", "bf16", "--json", "--hashes");
        Assert.Equal((0, ""), (outcome.Status, outcome.Errors));
        using var answer = JsonDocument.Parse(outcome.Output);
        var rows = answer.RootElement.GetProperty("frontier").EnumerateArray().ToList();
        Assert.Equal([128, 512], rows.Select(r => r.GetProperty("seqlen").GetInt32()));
        foreach (var row in rows)
        {
            // A frontier is that of the simple rules.
            foreach (var point in new[] { "least_device", "copies_beside_compute", "least_host" }.Select(row.GetProperty))
            {
                var planned = Dataflow(
                    "plan", "nano", "--seqlen", $"{row.GetProperty("seqlen")}", "--dtype", "bf16", "--policy", "simple", "--json",
                    "--device-memory", $"{point.GetProperty("device_bytes")}B", "--host-memory", $"{point.GetProperty("host_bytes")}B");
                Assert.Equal(0, planned.Status);
                using var plan = JsonDocument.Parse(planned.Output);
                Assert.Equal($"{point.GetProperty("plan_hash")}", $"{plan.RootElement.GetProperty("plan_hash")}");
                Assert.Equal($"{point.GetProperty("chunk_tokens")}", $"{plan.RootElement.GetProperty("chunk_tokens")}");
                Assert.Equal($"{point.GetProperty("device_bytes")}", $"{plan.RootElement.GetProperty("device_peak_bytes")}");
            }
        }
    }

    [Fact]
    public void A_model_can_bring_its_own_length_and_a_file_gets_markdown()
    {
        using var scratch = new ScratchFolder();
        var outcome = Dataflow(
            "frontier",
            "nano",
            "micro@256",
            "--seqlen",
            "128",
            "--note",
            "a <img src=x> remark",
            "--out",
            scratch.File("frontier.md")
        );
        Assert.Equal((0, "", ""), (outcome.Status, outcome.Output, outcome.Errors));
        var lines = File.ReadAllLines(scratch.File("frontier.md"));
        Assert.Equal("# Memory frontier, fp32", lines[0]);
        Assert.Contains("a &lt;img src=x&gt; remark", lines);
        Assert.Equal(3, lines.Count(l => l.StartsWith("| nano | 128 | ", StringComparison.Ordinal)));
        Assert.Equal(3, lines.Count(l => l.StartsWith("| micro | 256 | ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("nano --seqlen 128,x", "'x' is no whole number")]
    [InlineData("nano@1 --seqlen 128", "1 is too small")]
    [InlineData("nano@ --seqlen 128", "there is no model nano@")]
    [InlineData("nano --seqlen 128 --out missing-folder/frontier.md", "cannot be written")]
    public void Mistakes_are_named(string arguments, string expected)
    {
        var outcome = Dataflow(["frontier", .. arguments.Split(' ')]);
        Assert.Equal(2, outcome.Status);
        Assert.Contains(expected, outcome.Errors, StringComparison.Ordinal);
        Assert.Single(outcome.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
