using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Learning rate range tests: which rates, when they end, what they suggest.</summary>
public class RangeTestTests
{
    private const int Steps = 100;
    private static readonly RateRange Range = RateRange.Parse("1e-6..1");

    [Fact]
    public void Rates_rise_in_equal_ratios_from_the_first_to_the_last()
    {
        var rates = LearningRateSchedule.Rising(RateRange.Parse("1e-5..0.1"), 41);
        Assert.All(Enumerable.Range(0, 41), i => Assert.Equal(Math.Pow(10, -5 + (i / 10.0)), rates.At(i), 1e-12));
        Assert.Equal("range test: 1e-05 in the first step, 0.1 in the last", $"{rates}");
    }

    [Theory]
    [InlineData("1e-3")]
    [InlineData("1e-3..1e-3")]
    [InlineData("1e-3..1e-4")]
    [InlineData("0..1")]
    [InlineData("1e-60..1")]
    [InlineData("-1..1")]
    [InlineData("1e-3..1e3")]
    [InlineData("NaN..1")]
    [InlineData("1e-3..1..2")]
    [InlineData("models/nano.json")]
    public void A_range_that_none_is_is_refused(string text) =>
        Assert.Contains("1e-6..1", Assert.Throws<UserErrorException>(() => RateRange.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Few_steps_are_refused() =>
        Assert.Contains(
            "at least 10 steps",
            Assert.Throws<UserErrorException>(() => LearningRateSchedule.Rising(Range, 9)).Message,
            StringComparison.Ordinal
        );

    // Falls as a parabola over the logarithm of the rate, with its least loss at 1e-2: the tenth is 1e-3. Smoothing is symmetric, so that
    // neither noise of equal size to both sides nor the bell moves the least by more than a step.
    [Theory]
    [InlineData(0)]
    [InlineData(0.02)]
    public void A_tenth_of_the_rate_of_the_least_loss_is_suggested(double noise)
    {
        var test = new RangeTest(Range, Steps);
        for (int i = 0; i < Steps; i++)
        {
            double x = Math.Log10(Range.At(i, Steps));
            Assert.True(test.Take(Range.At(i, Steps), 3 + (0.1 * (x + 2) * (x + 2)) + (i % 2 == 0 ? noise : -noise)));
        }

        var found = test.Result(RangeTestEnd.Whole);
        Assert.InRange(found.Suggestion!.Value, 0.85e-3, 1.18e-3);
        Assert.Contains("a tenth of ", found.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("higher ones", found.Reason, StringComparison.Ordinal);
        Assert.Equal(Steps, found.Points.Count);
        Assert.Equal("all 100 steps were taken", found.Ending);

        // A parabola's bell mean is the parabola, higher by its curvature times the variance: 0.1 * (2 steps of 6/99)^2.
        var middle = found.Points[50];
        Assert.Equal(middle.Loss - noise + (0.1 * 4 * 36 / 9801), middle.Smoothed, 2e-4);
    }

    [Fact]
    public void It_ends_where_three_losses_together_are_twice_the_first_or_four_times_the_least()
    {
        var twice = new RangeTest(Range, Steps);
        double[] losses = [5, 5, 5, 4, 4, 4, 29];
        Assert.All(losses[..^1], (l, i) => Assert.True(twice.Take(Range.At(i, Steps), l)));
        Assert.False(twice.Take(1e-3, losses[^1])); // (4 + 4 + 29) / 3 is above 10
        var found = twice.Result(RangeTestEnd.Exploded);
        Assert.Null(found.Suggestion);
        Assert.Contains("7 steps with a finite loss are too few", found.Reason, StringComparison.Ordinal);
        Assert.Equal("ended after step 7 of 100, as the loss exploded", found.Ending);

        var four = new RangeTest(Range, Steps);
        Assert.All(new double[] { 5, 5, 5, 0.4, 0.4, 0.4, 0.4 }, (l, i) => Assert.True(four.Take(Range.At(i, Steps), l)));
        Assert.False(four.Take(1e-3, 4.1)); // (0.4 + 0.4 + 4.1) / 3 is above 1.6
    }

    [Fact]
    public void A_loss_that_never_falls_gives_no_suggestion_and_one_that_falls_to_the_end_says_so()
    {
        RangeTestResult Of(Func<int, double> loss)
        {
            var test = new RangeTest(Range, 20);
            for (int i = 0; i < 20; i++)
            {
                test.Take(Range.At(i, 20), loss(i));
            }

            return test.Result(RangeTestEnd.Whole);
        }

        var rising = Of(i => 3 + (0.01 * i));
        Assert.Null(rising.Suggestion);
        Assert.Contains("did not fall", rising.Reason, StringComparison.Ordinal);
        var falling = Of(i => 3 - (0.01 * i));
        Assert.Equal(0.1, falling.Suggestion!.Value, 1e-9);
        Assert.Contains("a range with higher ones", falling.Reason, StringComparison.Ordinal);
    }
}
