using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow report --run: the page of training runs, written and served.</summary>
public sealed class RunReportTests
{
    private const string Nano =
        "train nano --seqlen 32 --device-memory 8MiB --host-memory 64MiB --policy simple --data LICENSE --global-batch 64 --steps 4";

    [Fact]
    public async Task Runs_are_written_as_one_page_and_served_as_another()
    {
        using var scratch = new ScratchFolder();
        string run = scratch.File("run"), page = scratch.File("page");
        Programs.Good(Programs.Dataflow($"{Nano} --tensorboard --checkpoint {run}"));
        Assert.Equal([1, 2, 3, 4], StepsIn(run));
        Assert.Single(Directory.GetFiles(run, "events.out.tfevents.*"));
        string said = Programs.Good(Programs.Dataflow($"report --run {run} --run {run} --out {page}"));
        Assert.Equal($"{page}/runs.html: 2 runs\n", said);
        Assert.Contains("<title>Training: ", File.ReadAllText(Path.Combine(page, "runs.html")), StringComparison.Ordinal);

        // A process of its own, which a signal ends; only the loopback address answers.
        using var server = Process.Start(new ProcessStartInfo(
            "env", ["--default-signal=TERM", Path.Combine(Programs.Root, "bin", "dataflow"), "report", "--run", run, "--serve"])
        {
            RedirectStandardOutput = true,
        })!;
        string address = (await server.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!.Split(' ')[1];
        Assert.StartsWith("http://127.0.0.1:", address, StringComparison.Ordinal);
        using (var client = new HttpClient())
        {
            string served = await client.GetStringAsync(address, TestContext.Current.CancellationToken);
            Assert.Contains("<title>Training: run</title>", served, StringComparison.Ordinal);
        }

        Assert.True(LiveRun.Signal(server, LiveRun.Term));
        await server.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(143, server.ExitCode);
    }

    [Theory]
    [InlineData("--run tests --out page", "tests has no metrics.jsonl; name the folder")]
    [InlineData("--run tests", "--run needs --out DIR")]
    [InlineData("--run tests --out page --serve", "give one of them")]
    [InlineData("--serve", "--serve does nothing without --run")]
    [InlineData("--run tests --listen 0.0.0.0", "--listen does nothing without --serve")]
    [InlineData("--run tests --serve --listen here", "'here' is no address")]
    [InlineData("--run tests --price 2 --out page", "--price")]
    [InlineData("bench/published/published_sweeps.csv --run tests --out page", "result files have no part in")]
    public void What_cannot_be_is_refused(string options, string why) =>
        Assert.Contains(why, Programs.Refused(2, Programs.Dataflow($"report {options}")), StringComparison.Ordinal);

    [Theory]
    [InlineData("--tensorboard", "give --checkpoint DIR too")]
    [InlineData("--tensorboard --checkpoint never --histograms 2", "--histograms needs --clip")]
    public void Figures_that_cannot_be_written_are_refused(string options, string why) =>
        Assert.Contains(why, Programs.Refused(2, Programs.Dataflow($"{Nano} {options}")), StringComparison.Ordinal);

    [Fact]
    public void A_resumed_run_writes_for_TensorBoard_on_and_takes_another_batch()
    {
        using var scratch = new ScratchFolder();
        string run = scratch.File("run");
        Programs.Good(Programs.Dataflow($"{Nano} --clip 1 --tensorboard --histograms 2 --checkpoint {run}"));
        string said = Programs.Good(Programs.Dataflow($"train --resume {run} --steps 6 --global-batch 128"));
        Assert.Contains("Changed: global-batch 64 -> 128", said, StringComparison.Ordinal);
        Assert.Equal(2, Directory.GetFiles(run, "events.out.tfevents.*").Length);
        Assert.Equal([1, 2, 3, 4, 5, 6], StepsIn(run));
    }

    /// <summary>The steps that a run's figures have, in their order.</summary>
    internal static IEnumerable<int> StepsIn(string run) => File
        .ReadAllLines(Path.Combine(run, "metrics.jsonl"))
        .Select(l => JsonNode.Parse(l)!)
        .Where(l => (string)l["event"]! == "step")
        .Select(l => (int)l["step"]!);
}
