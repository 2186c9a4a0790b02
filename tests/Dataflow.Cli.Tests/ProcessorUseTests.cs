using System.Diagnostics;
using Dataflow.Runtime;

namespace Dataflow.Cli.Tests;

/// <summary>How much of the processors others have is read from what Linux counts.</summary>
public sealed class ProcessorUseTests
{
    // Ten seconds of four processors: user, nice, system, idle, iowait, irq, softirq, steal, guest.
    private static string Stat(int user, int system, int idle, int steal) =>
        $"cpu  {user} 0 {system} {idle} 5 0 0 {steal} 0 0\ncpu0 1 0 0 0\ncpu1 1 0 0 0\ncpu2 1 0 0 0\ncpu3 1 0 0 0\nintr 12 0\nctxt 99\n";

    [Theory]
    [InlineData(4, 1000, 1000, 0.0)] // 10 of 40 seconds busy, all of them ours
    [InlineData(4, 3000, 1000, 0.5)] // others had 20 of the 40 that four threads want
    [InlineData(2, 3000, 1000, 0.0)] // two threads still had two processors
    [InlineData(2, 4000, 1000, 0.5)] // others had 30 of 40: 10 of the 20 that two threads want
    [InlineData(8, 4000, 0, 1.0)] // nothing was left
    public void What_others_had_counts_where_it_left_too_little(int threads, int busyTicks, int ownTicks, double expected)
    {
        var before = ProcessorUse.Of(Stat(100, 50, 900, 7), 5, 3)!.Value;
        int quarter = busyTicks / 4;
        string stat = Stat(100 + (2 * quarter), 50 + quarter, 4900 - busyTicks, 7 + quarter);
        var after = ProcessorUse.Of(stat, 15, 3 + (ownTicks / 100.0))!.Value;
        Assert.Equal(4, after.Processors);
        Assert.Equal(expected, after.TakenByOthersSince(before, threads), 9);
    }

    [Theory]
    [InlineData("")]
    [InlineData("intr 1 2 3\n")]
    [InlineData("cpu  a b c d\ncpu0 1 2 3 4\n")]
    [InlineData("cpu  1 2 3 4\n")]
    public void What_is_not_such_a_text_says_nothing(string text) => Assert.Null(ProcessorUse.Of(text, 0, 0));

    [Fact]
    public void A_loop_beside_this_program_is_seen()
    {
        int threads = Environment.ProcessorCount;
        var before = ProcessorUse.Now()!.Value;
        var loops = Enumerable
            .Range(0, 2 * threads)
            .Select(_ => Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "while :; do :; done"]))!)
            .ToList();
        try
        {
            Thread.Sleep(1500);
            Assert.InRange(ProcessorUse.Now()!.Value.TakenByOthersSince(before, threads), 0.2, 1);
        }
        finally
        {
            loops.ForEach(l => l.Kill());
            loops.ForEach(l => l.Dispose());
        }
    }
}
