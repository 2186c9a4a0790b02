using System.Text.Json.Nodes;

namespace Dataflow.Cli.Tests;

/// <summary>What fits: the answers are those of the planner, and the page's grid is no other.</summary>
public sealed class FitTests : IDisposable
{
    private const double MostDrift = 0.03;
    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    [Fact]
    public void An_answer_is_what_simulate_says()
    {
        var fit = JsonNode.Parse(Programs.Good(Programs.Dataflow(
            "fit qwen3-0.6b --hardware rtx4090 --host-memory 8 --device-memory 6 --seqlen 4096 --tokens 100M --price 2 --json")))!;
        var full = fit["answers"]![0]!;
        var simulated = JsonNode.Parse(Programs.Good(Programs.Dataflow(
            "simulate qwen3-0.6b --seqlen 4096 --device-memory 6 --host-memory 8 --hardware rtx4090 --no-cache --json")))!;
        double speed = (double)simulated["tok_per_sec"]!;
        Assert.Equal(speed, (double)full["tok_per_sec"]!);
        double hours = 100 * (1 << 20) / speed / 3600;
        Assert.Equal(hours, (double)full["hours"]!, 1e-9 * hours);
        Assert.Equal(2 * hours, (double)full["cost"]!, 2e-9 * hours);
        Assert.True((double)full["with_more_device"]! >= speed);
        Assert.True((double)full["with_more_host"]! >= speed);
        Assert.True((double)full["with_faster_links"]! >= speed);
        Assert.Equal(["full", "LoRA", "QLoRA"], fit["answers"]!.AsArray().Select(a => $"{a!["method"]}"));
    }

    [Fact]
    public void What_does_not_fit_says_what_it_would_take()
    {
        string said = Programs.Good(Programs.Dataflow(
            "fit qwen3-0.6b --hardware rtx3090 --host-memory 4 --device-memory 2 --seqlen 8192"));
        Assert.Contains(
            "full: none of these lengths fits: qwen3-0.6b at seqlen 8192 in bf16-sr does not fit", said, StringComparison.Ordinal);
        Assert.Contains("LoRA (--lora-rank 16): fits up to sequences of 8,192 tokens", said, StringComparison.Ordinal);
        Assert.Contains("QLoRA (--lora-rank 16 --base-weights nf4): ", said, StringComparison.Ordinal);
    }

    /// <summary>Samples of the grid that ships, planned anew. Where the planner has moved on: `make fit-page`.</summary>
    [Theory]
    [InlineData(0, 1, 2_048, 32)]
    [InlineData(3, 1, 8_192, 64)]
    [InlineData(3, 4, 32_768, 128)]
    [InlineData(5, 2, 8_192, 256)]
    [InlineData(11, 3, 2_048, 64)]
    public void The_grid_is_the_planners_own(int model, int machine, int seqlen, int host)
    {
        var grid = FitGrids.Shipped();
        var profile = FitGrids.Machines[machine];
        Assert.Equal(FitGrids.Machines.Select(m => m.Name), grid.Machines.Select(m => m.Name));
        Assert.Equal(FitGrids.Models, grid.Models.Select(m => m.Name));
        var now = FitGrids.Compute([grid.Models[model].Name], [profile], [seqlen], [host], "", _ => { });
        for (int method = 0; method < grid.Methods.Count; method++)
        {
            int at = (((((((model * grid.Machines.Count) + machine) * grid.Methods.Count) + method) * grid.Seqlens.Count)
                + grid.Seqlens.ToList().IndexOf(seqlen)) * grid.HostGib.Count) + grid.HostGib.ToList().IndexOf(host);
            Assert.Equal(grid.Cells[at].Length, now.Cells[method].Length);
            foreach (var (before, after) in grid.Cells[at].Zip(now.Cells[method]).Take(1))
            {
                Assert.InRange(after, (1 - MostDrift) * before, (1 + MostDrift) * before);
            }
        }
    }

    [Fact]
    public void The_page_is_written_whole_and_small()
    {
        string page = scratch.File("fit.html");
        Assert.Contains(page, Programs.Good(Programs.Dataflow($"fit --page {page}")), StringComparison.Ordinal);
        Assert.InRange(new FileInfo(page).Length, 20_000, 1_000_000);
    }

    [Theory]
    [InlineData("fit", "<model> is missing")]
    [InlineData("fit nano --host-memory 8", "--hardware is missing")]
    [InlineData("fit nano --hardware rtx4090", "--host-memory is missing")]
    [InlineData("fit nano --hardware cpu --host-memory 8", "cpu is no GPU")]
    [InlineData("fit nosuch --hardware rtx4090 --host-memory 8", "there is no model nosuch")]
    public void What_is_missing_is_said(string line, string part) =>
        Assert.Contains(part, Programs.Refused(2, Programs.Dataflow(line)), StringComparison.Ordinal);
}
