using System.Runtime.InteropServices;

namespace Dataflow.Benchmarks;

/// <summary>What the calling thread took of its processor: on a machine that others use, waiting for a processor does not count.</summary>
internal static partial class ThreadClock
{
    private const int ProcessCpuTime = 2;
    private const int ThreadCpuTime = 3;
    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>Nanoseconds since the thread began.</summary>
    public static long Now() => Read(ThreadCpuTime);

    private static long Read(int clock)
    {
        if (GetTime(clock, out var time) != 0)
        {
            throw new InvalidOperationException("this system does not say what a thread took of its processor: measure on Linux");
        }

        return (time.Seconds * NanosecondsPerSecond) + time.Nanoseconds;
    }

    /// <summary>Nanoseconds that an action took of processors, on all threads of the process.</summary>
    public static long OfProcess(Action action)
    {
        long start = Read(ProcessCpuTime);
        action();
        return Read(ProcessCpuTime) - start;
    }

    /// <summary>Nanoseconds that an action took of the processor.</summary>
    public static long Of(Action action)
    {
        long start = Now();
        action();
        return Now() - start;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int GetTime(int clock, out Time time);

    private struct Time
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
