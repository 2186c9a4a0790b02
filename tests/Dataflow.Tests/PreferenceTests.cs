using Dataflow.Training;

namespace Dataflow.Tests;

/// <summary>A caller's own pairs of answers, through the whole library.</summary>
public class PreferenceTests
{
    private const int Seqlen = 64;

    /// <summary>The reference is the caller's own, too: a larger one of chosen answers makes the margin smaller by as much.</summary>
    [Fact]
    public void Own_pairs_are_trained_on_and_a_run_goes_on_to_the_same_bits()
    {
        using var tiny = new TinyRun();
        TrainingOptions Options(int steps, string? checkpoint, double reference) => tiny.Options(steps, checkpoint) with
        {
            Data = [], Source = new Pairs(reference), Preference = new PreferenceLoss(PreferenceKind.Sigmoid) { Beta = 0.5 },
        };
        PreferenceReport[] Reports(TrainingOptions options)
        {
            using var run = TrainingRun.Prepare(options);
            return [.. run.Steps(TestContext.Current.CancellationToken).Select(s => s.Step.Preferences!.Value)];
        }

        var (zero, four) = (Reports(Options(4, null, 0)), Reports(Options(1, null, 4)));
        Assert.Equal(zero[0].Margin - (0.5 * 4), four[0].Margin, 1e-9);
        Assert.Equal(16, zero[0].Pairs);
        Assert.True(zero[3].Margin > zero[0].Margin + 0.5, $"{zero[0].Margin} to {zero[3].Margin}");

        _ = Reports(Options(2, "saved", 0));
        Assert.Contains(
            "is not what the run in",
            Assert.Throws<Model.UserErrorException>(() => TrainingRun.Resume(
                tiny.PathOf("saved"), saved => saved with { Steps = 4, Source = new Pairs(1) })).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "say with which loss they are to be trained",
            Assert.Throws<Model.UserErrorException>(() => TrainingRun.Resume(
                tiny.PathOf("saved"), saved => saved with { Steps = 4, Source = new Pairs(0), Preference = null })).Message,
            StringComparison.Ordinal);
        using var more = TrainingRun.Resume(
            tiny.PathOf("saved"), saved => saved with { Steps = 4, Source = new Pairs(0) });
        Assert.Equal(zero[2..], more.Steps(TestContext.Current.CancellationToken).Select(s => s.Step.Preferences!.Value));
    }

    /// <summary>Two pairs a row, of counting up and counting down.</summary>
    private sealed class Pairs(double reference) : ITokenSource
    {
        private const int Length = 16;

        public int RowCount => 8;

        public int RowLength => Seqlen + 1;

        public bool HasPairs => true;

        public void Read(int row, Span<int> destination)
        {
            for (int i = 0; i < destination.Length; i++)
            {
                int within = i % Length;
                destination[i] = i / Length % 2 == 0 ? row + within : row + 100 - within;
            }
        }

        public IReadOnlyList<int> Documents(int row) => [Length, Length, Length, Length];

        public double ReferenceOf(int row, int document) => document % 2 == 0 ? reference : 0;
    }
}
