using System.Runtime.InteropServices;

namespace Dataflow.Schedules.Tests;

/// <summary>A step of 50,000 ops is cheap to work with: plans are searched and verified by the thousand.</summary>
public sealed partial class ScaleTests(ITestOutputHelper output)
{
    // Four times the ops take four times the work, sixteen times if it is quadratic; the caches make it a little more than four.
    private const int Times = 4;
    private const double Most = 9;

    [Fact]
    public void Work_grows_as_ops_do_up_to_fifty_thousand_of_them()
    {
        Schedule few = SyntheticStep.Make(layers: 32, chunks: 24, rounds: 16 / Times),
            many = SyntheticStep.Make(layers: 32, chunks: 24, rounds: 16);
        Assert.InRange(many.Ops.Length, 50_000, 55_000);
        Assert.InRange(many.Ops.Length, (Times - 0.2) * few.Ops.Length, (Times + 0.2) * few.Ops.Length);
        Schedule fewOrdered = WaitInference.Infer(few), manyOrdered = WaitInference.Infer(many);
        string fewText = ScheduleText.Print(fewOrdered), manyText = ScheduleText.Print(manyOrdered);
        Assert.Empty(ScheduleVerifier.Verify(manyOrdered));
        Assert.Equal(manyOrdered, ScheduleText.Parse(manyText));
        Compare("infer", () => WaitInference.Infer(few), () => WaitInference.Infer(many));
        Compare("verify", () => ScheduleVerifier.Verify(fewOrdered), () => ScheduleVerifier.Verify(manyOrdered));
        Compare("print", () => ScheduleText.Print(fewOrdered), () => ScheduleText.Print(manyOrdered));
        Compare("parse", () => ScheduleText.Parse(fewText), () => ScheduleText.Parse(manyText));
        Compare("hash", () => ScheduleHash.Of(fewOrdered), () => ScheduleHash.Of(manyOrdered));
        output.WriteLine($"{manyOrdered.Ops.Sum(op => op.Waits.Length)} waits, {manyText.Length} characters");
    }

    /// <summary>
    /// Both in this thread's processor time, which a loaded machine does not stretch; the least of some runs, as caches and the collector
    /// do.
    /// </summary>
    private void Compare(string what, Func<object> few, Func<object> many)
    {
        double least = double.MaxValue;
        for (int attempt = 0; attempt < 5 && least > Most; attempt++)
        {
            double one = Math.Min(Work(few), Work(few)), other = Work(many);
            output.WriteLine($"{what}: {1e3 * one:0} ms and {1e3 * other:0} ms, {other / one:0.0} times");
            least = Math.Min(least, other / one);
        }

        Assert.True(least <= Most, $"{what} takes {least:0.0} times as long for {Times} times as many ops");
    }

    /// <summary>Seconds of this thread's processor time.</summary>
    private static double Work(Func<object> work)
    {
        double begun = ThreadSeconds();
        GC.KeepAlive(work());
        return ThreadSeconds() - begun;
    }

    private static double ThreadSeconds()
    {
        const int threadProcessorTime = 3; // CLOCK_THREAD_CPUTIME_ID
        Assert.Equal(0, ReadClock(threadProcessorTime, out var time));
        return time.Seconds + (1e-9 * time.Nanoseconds);
    }

    private readonly record struct ProcessorTime(long Seconds, long Nanoseconds);

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ReadClock(int clock, out ProcessorTime time);
}
