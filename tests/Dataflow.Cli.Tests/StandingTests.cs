using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>What a figure rests on is said where it is shown: text, JSON, result files and pages.</summary>
[Trait("Slow", "true")]
public class StandingTests
{
    private const string Beyond =
        "the device budget of 80.000 GiB is more than the 24.000 GiB that rtx3090 has: no machine is known that can run this";
    private const string Assumed = "assumed rates: nothing was fitted to rtx4090 or measured on it";

    private static JsonElement Standing(JsonElement of) => of.GetProperty("standing");

    private static string[] Notes(JsonElement of) => [.. Standing(of).GetProperty("notes").EnumerateArray().Select(n => n.GetString()!)];

    [Fact]
    public void A_plan_names_a_budget_that_the_machine_does_not_have_and_a_host_that_is_this_ones()
    {
        const string plan = "plan nano --seqlen 64 --hardware rtx3090 --device-memory 80";
        string text = Programs.Good(Programs.Dataflow(plan));
        Assert.Contains($"  note: {Beyond}\n", text, StringComparison.Ordinal);
        Assert.Matches("note: the host budget of [0-9.]+ [MG]iB is of the machine that plans: give --host-memory", text);
        Assert.Contains("the fastest found for rtx3090 with rates fitted to published runs on rtx3090", text, StringComparison.Ordinal);

        var json = JsonDocument.Parse(Programs.Good(Programs.Dataflow(plan + " --host-memory 1 --json"))).RootElement;
        Assert.Equal("fitted", Standing(json).GetProperty("rates").GetString());
        Assert.Equal([Beyond], Notes(json));
    }

    [Fact]
    public void Simulations_say_it_one_by_one_and_in_batches()
    {
        using var scratch = new ScratchFolder();
        string Request(string machine, double device) =>
            $$"""{"model":"nano","seqlen":64,"device_memory":{{device}},"host_memory":1,"hardware":"{{machine}}","policy":"simple"}""";
        File.WriteAllLines(
            scratch.File("r.jsonl"),
            [Request("rtx4090", 2), Request("h200", 2), Request("rtx3090", 80), Request("a100", 2)]
        );
        var answers = Programs
            .Good(Programs.Dataflow($"simulate --batch {scratch.File("r.jsonl")}"))
            .TrimEnd('\n')
            .Split('\n')
            .Select(l => JsonDocument.Parse(l).RootElement)
            .ToList();
        Assert.Equal(["assumed", "borrowed", "fitted", "fitted"], answers.Select(a => Standing(a).GetProperty("rates").GetString()));
        Assert.Equal([0, 0, 1, 0], answers.Select(a => Notes(a).Length));
        Assert.Equal(Beyond, Notes(answers[2])[0]);
        Assert.Contains("rates of h100-sxm", Standing(answers[1]).GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Contains("no run had heads of ", Standing(answers[3]).GetProperty("text").GetString(), StringComparison.Ordinal);

        string page = scratch.File("step.html");
        string text = Programs.Good(
            Programs.Dataflow(
                $"simulate nano --seqlen 64 --device-memory 80 --host-memory 1 --hardware rtx3090 --policy simple --page {page}"
            )
        );
        Assert.Contains("predicted with rates fitted to published runs on rtx3090", text, StringComparison.Ordinal);
        Assert.Contains($"  note: {Beyond}\n", text, StringComparison.Ordinal);
        Assert.Contains("a device budget beyond the machine", PageData.Of(page).GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_maps_and_reports_say_it()
    {
        using var scratch = new ScratchFolder();
        string results = scratch.File("r.csv");
        File.WriteAllText(scratch.File("sweep.json"), """
            { "experiments": { "e": { "machines": { "mine": "rtx4090" }, "models": ["nano"], "policy": "simple", "step_tokens": 512,
            "grids": [ { "seqlens": [64], "host_gib": [1], "device_gib": [2, 40] } ] } } }
            """);
        Programs.Good(Programs.Dataflow($"sweep {scratch.File("sweep.json")} e --out {results}"));
        string[] lines = File.ReadAllLines(results);
        Assert.EndsWith(",standing", lines[0], StringComparison.Ordinal);
        Assert.EndsWith("," + Assumed, lines[1], StringComparison.Ordinal);
        Assert.EndsWith($",{Assumed}; a device budget beyond the machine's memory", lines[2], StringComparison.Ordinal);

        Programs.Good(Programs.Dataflow($"map {results} --out {scratch.File("maps")}"));
        Assert.Contains($"with {Assumed}", File.ReadAllText(Path.Combine(scratch.File("maps"), "index.html")), StringComparison.Ordinal);
        Programs.Good(Programs.Dataflow($"report {results} --out {scratch.File("report")}"));
        Assert.Contains(
            $"simulated with {Assumed}",
            File.ReadAllText(Path.Combine(scratch.File("report"), "report.md")),
            StringComparison.Ordinal
        );
    }
}
