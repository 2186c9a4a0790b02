using System.Text;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Tests;

/// <summary>The figures that a run leaves in its folder.</summary>
public class RunMetricsTests
{
    [Fact]
    public void Each_step_is_a_line_with_its_figures_between_a_head_and_a_summary()
    {
        using var tiny = new TinyRun();
        var options = tiny.Options(3, "run");
        var told = new List<StepResult>();
        using (var run = TrainingRun.Prepare(options with
        {
            Plan = options.Plan with { Clip = 1 },
            Watch = new WatchOptions { Every = 2 },
            Validation = tiny.PathOf("text.txt"),
            ValidateEvery = 3,
        }))
        {
            told.AddRange(run.Steps(TestContext.Current.CancellationToken));
        }

        var lines = Lines(tiny.PathOf("run"));
        var head = lines[0];
        Assert.Equal(("run", 0, 3, "nano"), (Kind(head), Step(head), (int)head["steps"]!, (string)head["model"]!));
        Assert.True((long)head["device_bytes"]! <= (long)head["device_budget_bytes"]!);
        Assert.True((long)head["host_bytes"]! <= (long)head["host_budget_bytes"]!);
        Assert.Equal(512, (int)head["global_batch"]!);
        var steps = lines.Where(l => Kind(l) == "step").ToList();
        Assert.Equal([1, 2, 3], steps.Select(Step));
        Assert.Equal(told.Select(t => t.Step.Loss), steps.Select(s => (double)s["loss"]!));
        Assert.Equal([512, 1024, 1536], steps.Select(s => (int)s["all_tokens"]!));
        Assert.All(steps, s => Assert.True((double)s["tok_per_sec"]! > 0 && (double)s["gradient_norm"]! > 0 && (double)s["lr"]! > 0));
        Assert.Equal(6, ((JsonArray)steps[1]["groups"]!).Count);
        Assert.Null(steps[0]["groups"]);
        Assert.Equal(told[2].Validation!.Value.Loss, (double)steps[2]["validation_loss"]!);
        Assert.Equal(["saved", "summary"], lines.SkipWhile(l => Kind(l) != "step").Skip(3).Select(Kind));
        Assert.All(lines, l => Assert.True((double)l["time"]! > 1e9));
    }

    [Fact]
    public void The_second_step_is_looked_at_more_closely()
    {
        using var tiny = new TinyRun();
        _ = TinyRun.Losses(tiny.Options(3, "run"));
        var steps = Lines(tiny.PathOf("run")).Where(l => Kind(l) == "step").ToList();
        var busy = (JsonObject)steps[1]["busy"]!;
        Assert.All(busy, share => Assert.InRange((double)share.Value!, 0, 1));
        Assert.True((double)busy["compute"]! > 0.1);
        Assert.True((long)steps[1]["process_bytes"]! > 1 << 20);
        Assert.Equal([null, null], new[] { steps[0]["busy"], steps[2]["busy"] });
    }

    [Fact]
    public void A_run_that_is_killed_and_gone_on_with_has_each_step_once_and_says_what_is_changed()
    {
        using var tiny = new TinyRun();
        string folder = tiny.PathOf("run"), file = Path.Combine(folder, "metrics.jsonl");
        _ = TinyRun.Losses(tiny.Options(2, "run"));

        // What a run leaves that is killed after its fourth step, in the middle of a line.
        File.AppendAllText(file, """
            {"event":"step","step":3,"loss":1}
            {"event":"step","step":4,"loss":1}
            {"event":"step","st
            """.ReplaceLineEndings("\n"));
        using (var run = TrainingRun.Resume(folder, o => o with { Steps = 5 }))
        {
            Assert.Equal(3, run.Steps(TestContext.Current.CancellationToken).Count());
        }

        var lines = Lines(folder);
        Assert.Equal([1, 2, 3, 4, 5], lines.Where(l => Kind(l) == "step").Select(Step));
        Assert.Equal([0, 2], lines.Where(l => Kind(l) == "run").Select(Step));
        Assert.DoesNotContain(lines, l => Kind(l) == "step" && (double)l["loss"]! == 1);
        var changed = Assert.Single(lines, l => Kind(l) == "changed");
        Assert.Equal((2, "steps"), (Step(changed), (string)changed["setting"]!));
        Assert.Equal(("2", "5"), ((string)changed["from"]!, (string)changed["to"]!));
        var steps = lines.Where(l => Kind(l) == "step").Select(l => (int)l["all_tokens"]!);
        Assert.Equal([512, 1024, 1536, 2048, 2560], steps);
    }

    [Fact]
    public void A_run_that_goes_on_with_another_batch_has_one_curve_that_says_so()
    {
        using var tiny = new TinyRun();
        _ = TinyRun.Losses(tiny.Options(2, "run"));
        using (var run = TrainingRun.Resume(tiny.PathOf("run"), o => o with { Steps = 4, Plan = o.Plan with { GlobalBatch = 1024 } }))
        {
            Assert.Equal(2, run.Steps(TestContext.Current.CancellationToken).Count());
        }

        var lines = Lines(tiny.PathOf("run"));
        var steps = lines.Where(l => Kind(l) == "step").ToList();
        Assert.Equal([1, 2, 3, 4], steps.Select(Step));
        Assert.Equal([512, 1024, 2048, 3072], steps.Select(l => (int)l["all_tokens"]!));
        var changed = Assert.Single(lines, l => (string?)l["setting"] == "global-batch");
        Assert.Equal((2, "512", "1024"), (Step(changed), (string)changed["from"]!, (string)changed["to"]!));

        // Rows go on where the first run left off: as with batches of one size from the beginning.
        using var again = TrainingRun.Resume(tiny.PathOf("run"), o => o with { Steps = 5 });
        Assert.Equal(1024, Assert.Single(again.Steps(TestContext.Current.CancellationToken)).Step.Tokens);
    }

    [Fact]
    public void A_run_that_goes_on_in_another_folder_takes_its_lines_along()
    {
        using var tiny = new TinyRun();
        _ = TinyRun.Losses(tiny.Options(2, "run"));
        string before = File.ReadAllText(Path.Combine(tiny.PathOf("run"), "metrics.jsonl"));
        using (var run = TrainingRun.Resume(tiny.PathOf("run"), o => o with { Steps = 3, Checkpoint = tiny.PathOf("other") }))
        {
            Assert.Single(run.Steps(TestContext.Current.CancellationToken));
        }

        Assert.Equal([1, 2, 3], Lines(tiny.PathOf("other")).Where(l => Kind(l) == "step").Select(Step));
        Assert.Equal(before, File.ReadAllText(Path.Combine(tiny.PathOf("run"), "metrics.jsonl")));
    }

    [Fact]
    public void A_run_that_goes_back_from_a_spike_cuts_the_steps_that_it_takes_anew()
    {
        using var tiny = new TinyRun();
        Directory.CreateDirectory(tiny.PathOf("run"));
        using (var metrics = RunMetrics.Open(tiny.Options(9, "run"), 0, [], [], _ => { })!)
        {
            foreach (int step in Enumerable.Range(1, 4))
            {
                metrics.Take(new RunEvent.Stepped(Result(step)));
            }

            metrics.Take(new RunEvent.Stepped(Result(5) with { Rollback = new Rollback(5, 2, 9, 3, 1) }));
            metrics.Take(new RunEvent.Stepped(Result(3)));
        }

        var lines = Lines(tiny.PathOf("run"));
        Assert.Equal([1, 2, 3], lines.Where(l => Kind(l) == "step").Select(Step));
        Assert.Equal(["run", "step", "step", "rollback", "step"], lines.Select(Kind));
        Assert.Equal((2, 5), (Step(lines[3]), (int)lines[3]["from_step"]!));
    }

    [Fact]
    public void A_folder_that_takes_no_figures_is_refused_before_the_first_step()
    {
        using var tiny = new TinyRun();
        Directory.CreateDirectory(tiny.PathOf("run/metrics.jsonl"));
        var refused = Assert.Throws<UserErrorException>(() => TrainingRun.Prepare(tiny.Options(2, "run")));
        Assert.Contains("metrics.jsonl cannot be written", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TensorBoards_files_have_the_figures_and_histograms_by_group_and_go_on_where_a_run_does()
    {
        using var tiny = new TinyRun();
        var options = tiny.Options(4, "run");
        options = options with
        {
            Plan = options.Plan with { Clip = 1 }, Watch = new WatchOptions { Every = 3 }, TensorBoard = true, Histograms = 3,
        };
        var steps = new List<StepResult>();
        using (var run = TrainingRun.Prepare(options))
        {
            steps.AddRange(run.Steps(TestContext.Current.CancellationToken));
        }

        Assert.Equal([false, false, true, false], steps.Select(s => s.Sample?.Values is not null));
        var values = steps[2].Sample!.Values!;
        Assert.Equal(steps[2].Groups!.Select(g => g.Group), values.Select(v => v.Group));
        foreach (var (spread, numbers) in values.Zip(steps[2].Groups!))
        {
            // Of tensors beyond 8,192 elements so many are looked at; of the embedding, few rows of which have a gradient, too few.
            double share = Math.Sqrt(spread.Gradients.SumOfSquares) / numbers.GradientNorm;
            Assert.True(spread.Group == "embedding" ? share > 0 : share is > 0.8 and < 1.25, $"{spread.Group}: {share}");
            Assert.Equal(spread.Weights.Count, spread.Gradients.Count, 6);
            Assert.InRange(spread.Weights.Buckets.Sum(b => b.Count) / spread.Weights.Count, 1 - 1e-9, 1 + 1e-9);
        }

        string text = File.ReadAllText(Assert.Single(Events()), Encoding.Latin1);
        string[] tags = ["loss/training", "gradient norm/layer 3", "update over weight/head", "weights/embedding", "gradients/layer 0"];
        Assert.All(tags, tag => Assert.Contains(tag, text, StringComparison.Ordinal));
        using (var run = TrainingRun.Resume(tiny.PathOf("run"), o => o with { Steps = 6 }))
        {
            Assert.Equal(2, run.Steps(TestContext.Current.CancellationToken).Count());
        }

        Assert.Equal(2, Events().Length);
        Assert.Contains("gradients/layer 0", File.ReadAllText(Events()[1], Encoding.Latin1), StringComparison.Ordinal);

        string[] Events() => [.. Directory.GetFiles(tiny.PathOf("run"), "*tfevents*").Order(StringComparer.Ordinal)];
    }

    [Theory]
    [InlineData(false, 0, 1f, "give --checkpoint DIR too")]
    [InlineData(true, 2, null, "--histograms needs --clip")]
    public void What_cannot_act_is_refused(bool saves, int histograms, float? clip, string why)
    {
        using var tiny = new TinyRun();
        var options = tiny.Options(2, saves ? "run" : null);
        options = options with { Plan = options.Plan with { Clip = clip }, TensorBoard = true, Histograms = histograms };
        Assert.Contains(why, Assert.Throws<UserErrorException>(() => TrainingRun.Prepare(options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mixture_says_how_its_experts_are_loaded()
    {
        using var tiny = new TinyRun();
        var options = tiny.Options(2, "run");
        string model = Locations.Find("tests", "golden-families", "olmoe")!;
        var config = ModelSource.Open(model);
        _ = TinyRun.Losses(options with
        {
            Plan = options.Plan with { Model = model, Seqlen = 32, GlobalBatch = 64 },
            Data = [],
            Source = new Training.RandomTokens(8, 32, config.Model.VocabSize),
        });
        var experts = (JsonArray)Lines(tiny.PathOf("run")).Last(l => Kind(l) == "step")["experts"]!;
        Assert.Equal(config.Model.LayerCount, experts.Count);
        Assert.All(experts, layer => Assert.True((double)layer!["most"]! >= 1 && (double)layer["least"]! <= 1));
    }

    private static StepResult Result(int step) =>
        new(new Training.StepReport(step, 2, 64, 64, TimeSpan.FromSeconds(1)), 9, 1e6, 1e-3f);

    private static List<JsonNode> Lines(string folder) =>
        [.. File.ReadAllLines(Path.Combine(folder, "metrics.jsonl")).Select(l => JsonNode.Parse(l)!)];

    private static string Kind(JsonNode line) => (string)line["event"]!;

    private static int Step(JsonNode line) => (int)line["step"]!;
}
