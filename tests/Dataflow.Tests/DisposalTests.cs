using System.Globalization;
using System.Runtime.InteropServices;

namespace Dataflow.Tests;

/// <summary>Looks at the whole process: nothing else may go on in it.</summary>
[Collection(Alone)]
[CollectionDefinition(Alone, DisableParallelization = true)]
public class DisposalTests
{
    private const string Alone = "alone in the process";
    private const int Warm = 3;
    private const int Runs = 9;
    private const int Attempts = 4;

    [Fact]
    public void A_run_that_is_over_leaves_no_thread_and_no_memory()
    {
        using var tiny = new TinyRun();
        _ = TinyRun.Losses(tiny.Options(1)); // what is made once for the process
        string[] others = ThreadsWithout("training");
        string[] own;
        long arenas;
        using (var run = TrainingRun.Prepare(tiny.Options(1)))
        {
            arenas = run.Plan.DevicePeak.Value + run.Plan.HostPeak.Value;

            // Those of the runtime come and go as it likes.
            own = [.. Threads().Except(others).Where(name => !name.StartsWith(".NET", StringComparison.Ordinal))];
        }

        Assert.Contains("training", own);
        Assert.True(own.Length > 2, $"the threads of a run are {string.Join(", ", own)}");
        Repeat(Warm, tiny);

        // What each run left would be there each time; what the allocator keeps of the runs before it comes and goes.
        long least = long.MaxValue, most = Runs * arenas / 3;
        for (int attempt = 0; attempt < Attempts && least > most; attempt++)
        {
            long before = Taken();
            Repeat(Runs, tiny);
            least = Math.Min(least, Taken() - before);
        }

        Assert.Empty(ThreadsWithout(own).Intersect(own));
        Assert.InRange(least, long.MinValue, most);
    }

    private static void Repeat(int runs, TinyRun tiny)
    {
        for (int i = 0; i < runs; i++)
        {
            _ = TinyRun.Losses(tiny.Options(1));
        }
    }

    /// <summary>
    /// Private bytes of the process that memory holds now, but for the managed heap's. The stacks of threads that the
    /// runtime starts as it likes are mapped 8 MB each, of which almost nothing is ever written; and the allocator keeps
    /// what was freed for the next who asks, until it is told to give it back.
    /// </summary>
    private static long Taken()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        _ = malloc_trim(0);
        string held = File.ReadLines("/proc/self/status").Single(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
        return (1024 * long.Parse(held.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2].Trim(), CultureInfo.InvariantCulture))
            - GC.GetGCMemoryInfo().TotalCommittedBytes;
    }

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int malloc_trim(nuint kept);

    /// <summary>Names of threads. One that was joined may be seen a moment longer.</summary>
    private static string[] ThreadsWithout(params string[] names)
    {
        for (int i = 0; i < 500 && Threads().Intersect(names).Any(); i++)
        {
            Thread.Sleep(10);
        }

        return Threads();
    }

    private static string[] Threads() => [.. Directory.GetDirectories("/proc/self/task").Select(NameOf).OfType<string>().Distinct()];

    /// <summary>Null: it ended since it was listed.</summary>
    private static string? NameOf(string task)
    {
        try
        {
            return File.ReadAllText(Path.Combine(task, "comm")).Trim();
        }
        catch (IOException)
        {
            return null;
        }
    }
}
