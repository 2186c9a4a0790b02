using System.Diagnostics;

namespace Dataflow.Schedules.Tests;

/// <summary>A step of 50,000 ops is cheap to work with: plans are searched and verified by the thousand.</summary>
public sealed class ScaleTests(ITestOutputHelper output)
{
    // Far above what an idle machine needs (see the output), far below what anything quadratic would take.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(8);

    [Fact]
    public void Fifty_thousand_ops()
    {
        Schedule bare = SyntheticStep.Make(layers: 32, chunks: 24, rounds: 16);
        Assert.InRange(bare.Ops.Length, 50_000, 55_000);
        Schedule schedule = Time("infer", bare, () => WaitInference.Infer(bare));
        Assert.Empty(Time("verify", bare, () => ScheduleVerifier.Verify(schedule)));
        string text = Time("print", bare, () => ScheduleText.Print(schedule));
        Assert.Equal(schedule, Time("parse", bare, () => ScheduleText.Parse(text)));
        Assert.Equal(64, Time("hash", bare, () => ScheduleHash.Of(schedule)).Length);
        output.WriteLine($"{schedule.Ops.Sum(op => op.Waits.Length)} waits, {text.Length} characters");
    }

    private T Time<T>(string what, Schedule schedule, Func<T> work)
    {
        // The first run also compiles; the second is what a search sees.
        _ = work();
        var clock = Stopwatch.StartNew();
        T result = work();
        output.WriteLine($"{what}: {clock.Elapsed.TotalMilliseconds:0} ms, {schedule.Ops.Length / clock.Elapsed.TotalSeconds:0} ops/s");
        Assert.True(clock.Elapsed < Limit, $"{what} took {clock.Elapsed}");
        return result;
    }
}
