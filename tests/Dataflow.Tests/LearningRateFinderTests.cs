using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Tests;

/// <summary>Range tests by a program.</summary>
public class LearningRateFinderTests
{
    private static readonly RateRange s_range = new(1e-5, 1);

    [Fact]
    public void The_points_are_the_steps_of_a_run_with_these_rates()
    {
        using var tiny = new TinyRun();
        var losses = new List<double>();
        var rates = new List<float>();
        var found = LearningRateFinder.Find(
            tiny.Options(12) with { Page = tiny.PathOf("page.html") },
            s_range,
            happened =>
            {
                if (happened is RunEvent.Stepped { Step: var step })
                {
                    losses.Add(step.Step.Loss);
                    rates.Add(step.LearningRate);
                }
            },
            TestContext.Current.CancellationToken
        );
        Assert.Equal(12, found.Points.Count);
        Assert.Equal(losses, found.Points.Select(p => p.Loss));
        Assert.Equal(rates, found.Points.Select(p => (float)p.Rate));
        Assert.All(rates, (rate, i) => Assert.Equal(Math.Pow(10, -5 + (5.0 * i / 11)), rate, rate * 1e-6));
        Assert.Equal(RangeTestEnd.Whole, found.End);

        // The first loss is that of any run of these rows, and until the first update no rate matters.
        Assert.Equal(TinyRun.Losses(tiny.Options(1))[0], losses[0]);
        string page = File.ReadAllText(tiny.PathOf("page.html"));
        Assert.Contains(found.Reason, page, StringComparison.Ordinal);
        Assert.Equal(["page.html", "text.txt"], Directory.GetFileSystemEntries(tiny.PathOf(".")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Cancelled_it_gives_what_it_saw()
    {
        using var tiny = new TinyRun();
        using var stop = new CancellationTokenSource();
        var found = LearningRateFinder.Find(
            tiny.Options(12),
            s_range,
            happened =>
            {
                if (happened is RunEvent.Stepped { Step.Step.Step: 3 })
                {
                    stop.Cancel();
                }
            },
            stop.Token
        );
        Assert.Equal((3, RangeTestEnd.Interrupted), (found.Points.Count, found.End));
        Assert.Equal("interrupted after step 3 of 12", found.Ending);
        Assert.Null(found.Suggestion);
        Assert.Equal("interrupted", (string?)RangeTestJson.Of(found, null)["end"]);
    }

    [Fact]
    public void What_has_no_sense_is_refused_before_anything_is_planned()
    {
        using var tiny = new TinyRun();
        var all = tiny.Options(12);
        TrainingOptions[] senseless =
        [
            all with { Checkpoint = "folder" },
            all with { Schedule = "cosine" },
            all with { Warmup = new WarmUp(3) },
            all with { Validation = "text.txt" },
            all with { Corpus = new CorpusOptions { HeldBack = 0.1 } },
            all with { Steps = 9 },
        ];
        Assert.All(senseless, options =>
            Assert.Throws<UserErrorException>(() => LearningRateFinder.Find(options, s_range, _ => Assert.Fail("it began"))));
        Assert.Throws<UserErrorException>(() => LearningRateFinder.Find(all, new RateRange(1, 1e-3)));
    }
}
