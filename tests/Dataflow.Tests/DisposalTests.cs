using System.Diagnostics;

namespace Dataflow.Tests;

/// <summary>Looks at the whole process: nothing else may go on in it.</summary>
[Collection(Alone)]
[CollectionDefinition(Alone, DisableParallelization = true)]
public class DisposalTests
{
    private const string Alone = "alone in the process";
    private const int Warm = 3;
    private const int Runs = 9;

    [Fact]
    public void A_run_that_is_over_leaves_no_thread_and_no_memory()
    {
        using var tiny = new TinyRun();
        _ = TinyRun.Losses(tiny.Options(1)); // what is made once for the process
        string[] before = ThreadsWithout("training");
        string[] own;
        long arenas;
        using (var run = TrainingRun.Prepare(tiny.Options(1)))
        {
            arenas = run.Plan.DevicePeak.Value + run.Plan.HostPeak.Value;

            // Those of the runtime come and go as it likes.
            own = [.. Threads().Except(before).Where(name => !name.StartsWith(".NET", StringComparison.Ordinal))];
        }

        Assert.Contains("training", own);
        Assert.True(own.Length > 2, $"the threads of a run are {string.Join(", ", own)}");
        long bytes = 0;
        for (int i = 0; i < Warm + Runs; i++)
        {
            _ = TinyRun.Losses(tiny.Options(1));
            bytes = i == Warm - 1 ? Taken() : bytes;
        }

        Assert.Empty(ThreadsWithout(own).Intersect(own));
        Assert.InRange(Taken() - bytes, long.MinValue, Runs * arenas / 3); // what is left of each would be all of it
    }

    /// <summary>Private memory of the process, garbage left out.</summary>
    private static long Taken()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        using var process = Process.GetCurrentProcess();
        return process.PrivateMemorySize64;
    }

    /// <summary>Names of threads. One that was joined may be seen a moment longer.</summary>
    private static string[] ThreadsWithout(params string[] names)
    {
        for (int i = 0; i < 500 && Threads().Intersect(names).Any(); i++)
        {
            Thread.Sleep(10);
        }

        return Threads();
    }

    private static string[] Threads() =>
        [.. Directory.GetDirectories("/proc/self/task").Select(t => File.ReadAllText(Path.Combine(t, "comm")).Trim()).Distinct()];
}
