using System.Globalization;

namespace Dataflow.Tests;

/// <summary>A caller at home where numbers have a comma gets the same plans, the same results and files that can be read.</summary>
[Collection(Alone)]
[CollectionDefinition(Alone, DisableParallelization = true)]
public sealed class CultureTests : IDisposable
{
    private const string Alone = "the culture of the process";
    private readonly CultureInfo before = CultureInfo.CurrentCulture;

    [Fact]
    public void Nothing_depends_on_the_callers_culture()
    {
        using var tiny = new TinyRun();
        var here = Trained(tiny, "here");
        var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        (comma.NumberFormat.NumberDecimalSeparator, comma.NumberFormat.NumberGroupSeparator) = (",", ".");
        CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = comma;
        Assert.Equal("0,5", $"{0.5}");
        var there = Trained(tiny, "there");
        Assert.Equal(here.Losses, there.Losses);
        Assert.Equal(here.Hash, there.Hash);
        Assert.Equal(here.Settings, there.Settings);

        // What was saved there goes on there, and here.
        using (var more = TrainingRun.Resume(tiny.PathOf("there"), o => o with { Steps = 3 }))
        {
            Assert.Single(more.Steps(TestContext.Current.CancellationToken));
        }

        CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = before;
        using var last = TrainingRun.Resume(tiny.PathOf("there"), o => o with { Steps = 4 });
        Assert.Single(last.Steps(TestContext.Current.CancellationToken));
    }

    public void Dispose() => CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = before;

    private static (double[] Losses, string Hash, string Settings) Trained(TinyRun tiny, string folder)
    {
        var asked = tiny.Options(2, folder);
        asked = asked with
        {
            Plan = asked.Plan with { Clip = 0.5f },
            Optimizer = asked.Optimizer with { LearningRate = 2.5e-3f },
        };
        var json = new RunJson();
        var lines = new List<string>();
        using var run = TrainingRun.Prepare(asked, happened =>
        {
            if (happened is RunEvent.Stepped && json.Of(happened) is { } line)
            {
                lines.Add(line.ToJsonString());
            }
        });
        double[] losses = [.. run.Steps(TestContext.Current.CancellationToken).Select(s => s.Step.Loss)];
        Assert.All(lines, line => Assert.Contains("\"lr\":0.0025,", line + ",", StringComparison.Ordinal));
        var settings = SavedRun.Find(tiny.PathOf(folder)).Settings.Where(s => !s.Key.StartsWith("trained", StringComparison.Ordinal));
        return (losses, run.Plan.Hash, string.Join("; ", settings));
    }
}
