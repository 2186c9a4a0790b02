using System.Text.Json.Nodes;
using Dataflow.Training;

namespace Dataflow.Cli.Tests;

/// <summary>Runs found in folders, and two of them compared.</summary>
public sealed class RunsTests : IDisposable
{
    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    [Fact]
    public void Runs_are_found_with_what_became_of_them()
    {
        Train("one", "--steps 2");
        Train("two", "--steps 3 --lr 1e-3 --seed 5");
        Metrics("one", """
            {"event":"run","step":0}
            {"event":"step","step":1,"loss":5.5,"tokens":256}
            {"event":"step","step":2,"loss":5.25,"tokens":256,"validation_loss":5.75}
            {"event":"saved","step":2}
            """);
        Metrics("three", """
            {"event":"step","step":1,"loss":4.5,"tokens":100}
            {"step":2,"loss":4.75,"tokens":100}
            {"event":"failed","step":2,"message":"the disk is full"}
            {"event":"st
            """);
        Directory.CreateDirectory(scratch.File("nothing"));
        File.WriteAllText(scratch.File("run.yaml"), "model: nano\nseqlen: 64\n"); // one's own, which is no run yet
        var runs = Lines($"runs {scratch.Path} --json").ToDictionary(r => Path.GetFileName($"{r["run"]}"));
        Assert.Equal(["one", "three", "two"], runs.Keys);
        Assert.Equal("done nano README.md 5.75 True 5.25 2 2 512", Said(runs["one"]));
        Assert.Equal("failed ? ? 4.5 False 4.75 2  200", Said(runs["three"]));
        Assert.Equal("done nano README.md  False  3 3 768", Said(runs["two"]));
        string table = Programs.Good(Programs.Dataflow($"runs {scratch.Path}"));
        Assert.Contains("5.7500 (validation)", table, StringComparison.Ordinal);

        using (FolderLock.Take(scratch.File("two"), _ => { }))
        {
            Assert.StartsWith("running", Said(Lines($"runs {scratch.File("two")} --json").Single()), StringComparison.Ordinal);
        }

        Assert.StartsWith("done", Said(Lines($"runs {scratch.File("two")} --json").Single()), StringComparison.Ordinal);
        Assert.Contains("no runs in", Programs.Good(Programs.Dataflow($"runs {scratch.File("nothing")}")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_can_be_gone_on_with_is_stopped_and_one_without_a_run_file_is_known_by_its_checkpoint()
    {
        Train("run", "--steps 2");
        string file = scratch.File("run/run.yaml");
        File.WriteAllText(file, File.ReadAllText(file).Replace("steps: 2", "steps: 4", StringComparison.Ordinal));
        Assert.Equal("stopped nano README.md  False  2 4 512", Said(Lines($"runs {scratch.File("run")} --json").Single()));
        File.Delete(file);
        Assert.Equal("done nano README.md  False  2 2 512", Said(Lines($"runs {scratch.File("run")} --json").Single()));
    }

    [Fact]
    public void A_comparison_has_what_differs_and_no_more()
    {
        Train("one", "--steps 2");
        Train("two", "--steps 2 --lr 1e-3 --clip 1");
        Metrics("one", """{"event":"step","step":1,"loss":5.5,"tokens":256}""");
        var found = JsonNode.Parse(Programs.Good(Programs.Dataflow($"diff {scratch.File("one")} {scratch.File("two")} --json")))!;
        var settings = found["settings"]!.AsArray().ToDictionary(r => $"{r!["name"]}", r => ($"{r!["one"]}", $"{r["other"]}"));
        Assert.Equal(("3e-4", "1e-3"), settings["lr"]);
        Assert.Equal(("", "1"), settings["clip"]);
        Assert.DoesNotContain("checkpoint", settings.Keys);
        Assert.DoesNotContain("seed", settings.Keys);
        Assert.Equal(["plan"], found["recorded"]!.AsArray().Select(r => $"{r!["name"]}"));
        var last = found["figures"]!.AsArray().Single(r => $"{r!["name"]}" == "last loss")!;
        Assert.Equal(("5.5000", null), ($"{last["one"]}", last["other"]));

        string printed = Programs.Good(Programs.Dataflow($"diff {scratch.File("one/run.yaml")} {scratch.File("one")}"));
        Assert.Contains("Settings that differ: nothing", printed, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("runs nosuch", "nosuch is no folder")]
    [InlineData("diff nosuch README.md", "nosuch is no folder of a run and no run file")]
    [InlineData("diff models recipes", "models has no run.yaml, no metrics.jsonl and no checkpoint")]
    public void What_is_no_run_is_refused(string line, string part) =>
        Assert.Contains(part, Programs.Refused(2, Programs.Dataflow(line)), StringComparison.Ordinal);

    private static string Said(JsonObject run) =>
        $"{run["state"]} {run["model"]} {run["data"]} {run["best_loss"]} {run["validated"]?.GetValue<bool>()} {run["last_loss"]} "
            + $"{run["step"]} {run["steps"]} {run["tokens"]}";

    private static IEnumerable<JsonObject> Lines(string line) =>
        Programs.Good(Programs.Dataflow(line)).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => JsonNode.Parse(l)!.AsObject());

    /// <summary>A run without its figures, which depend on the processor.</summary>
    private void Train(string name, string more)
    {
        _ = Programs.Good(Programs.Dataflow(
            "train nano --seqlen 64 --data README.md --global-batch 256 --device cpu --device-memory 8MiB --host-memory 64MiB --no-cache "
                + $"--checkpoint {scratch.File(name)} {more}"));
        File.Delete(Path.Combine(scratch.File(name), "metrics.jsonl"));
    }

    private void Metrics(string name, string lines)
    {
        Directory.CreateDirectory(scratch.File(name));
        File.WriteAllText(Path.Combine(scratch.File(name), "metrics.jsonl"), lines);
    }
}
