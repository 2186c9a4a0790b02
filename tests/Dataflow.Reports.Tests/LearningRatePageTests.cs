using Dataflow.Reports.Pages;

namespace Dataflow.Reports.Tests;

/// <summary>A range test's page: the curve, the mark, every step.</summary>
public sealed class LearningRatePageTests : IDisposable
{
    private const int Steps = 100;
    private readonly TemporaryFolder folder = new();

    // Falls from 5.6 to 2.6 at 6.6e-3 and explodes at the end; with noise of one step in three.
    private static LearningRateCurve Sample { get; } = new(
        "Learning rate range test: <micro>",
        ["adamw, fp32", "32 sequences of 256 tokens a step", "learning rates 1e-6..1", "all 100 steps were taken"],
        [.. Enumerable.Range(0, Steps).Select(i => new RateLoss(RateOf(i), LossOf(i) + Noise(i), LossOf(i)))],
        6.6e-4,
        "a tenth of 6.6e-3, the rate at which the smoothed loss was least; it fell steepest at 1.1e-5"
    );

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_same_test_is_the_same_page_and_nothing_breaks_out_of_it()
    {
        string page = LearningRatePage.Of(Sample);
        Assert.Equal(page, LearningRatePage.Of(Sample));
        Assert.Equal(2, page.Split("</script>").Length - 1);
        Assert.DoesNotContain("<micro>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("src=\"http", page, StringComparison.Ordinal);
    }

    [Fact]
    public void The_curve_is_looked_at_and_read_off() => Browser.Run("rates.mjs", Write("rates.html", LearningRatePage.Of(Sample)));

    [Fact]
    public void A_test_without_a_suggestion_or_a_curve_says_so()
    {
        Browser.Run("rates-empty.mjs", Write("none.html", LearningRatePage.Of(
            Sample with { Points = [.. Sample.Points.Take(1)], Suggestion = null, Reason = "the loss did not fall" })));
    }

    private static double RateOf(int i) => Math.Pow(10, -6 + (6.0 * i / (Steps - 1)));

    private static double LossOf(int i) => i < 64 ? 2.6 + (3 * Math.Exp(-i / 16.0))
        : i < 90 ? 2.6 + (0.02 * (i - 64))
        : 3.1 + ((i - 89) * 5);

    private static double Noise(int i) => i % 3 == 0 ? 0.06 : -0.03;

    private string Write(string name, string text)
    {
        string path = folder.File(name);
        File.WriteAllText(path, text);
        return path;
    }
}
