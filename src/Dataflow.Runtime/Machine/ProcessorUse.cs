using System.Diagnostics;
using System.Globalization;

namespace Dataflow.Runtime;

/// <summary>What the processors of this machine, and of them this process, have done so far.</summary>
/// <param name="Elapsed">Seconds since any fixed moment.</param>
/// <param name="Processors">Of the machine, as the kernel counts them.</param>
/// <param name="Busy">Seconds of all processors together in which they were at work or taken away by a hypervisor.</param>
/// <param name="Own">Seconds of processors that this process took.</param>
public readonly record struct ProcessorUse(double Elapsed, int Processors, double Busy, double Own)
{
    private const double TicksPerSecond = 100; // USER_HZ, which Linux fixes for what it shows
    private const int User = 1, Nice = 2, System = 3, Interrupts = 6, SoftInterrupts = 7, Steal = 8;
    private static readonly int[] s_busy = [User, Nice, System, Interrupts, SoftInterrupts, Steal];

    /// <summary>Up to now; null where the system does not say.</summary>
    public static ProcessorUse? Now()
    {
        using var self = Process.GetCurrentProcess();
        return MachineMemory.TextOf("/", "/proc/stat") is { } text
            ? Of(text, Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency, self.TotalProcessorTime.TotalSeconds)
            : null;
    }

    /// <summary>As a text like /proc/stat has it; null where it is none.</summary>
    public static ProcessorUse? Of(string stat, double elapsed, double own)
    {
        var lines = stat.Split('\n').Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
        var all = lines.FirstOrDefault(l => l is ["cpu", ..]);
        int processors = lines.Count(l => l is [{ Length: > 3 } name, ..] && name.StartsWith("cpu", StringComparison.Ordinal));
        if (all is null || processors == 0)
        {
            return null;
        }

        double ticks = 0;
        foreach (int column in s_busy)
        {
            if (column < all.Length)
            {
                if (!double.TryParse(all[column], NumberStyles.None, CultureInfo.InvariantCulture, out double value))
                {
                    return null;
                }

                ticks += value;
            }
        }

        return new ProcessorUse(elapsed, processors, ticks / TicksPerSecond, own);
    }

    /// <summary>
    /// What part of the processors that <paramref name="threads"/> of this process could have had, others had since
    /// <paramref name="before"/>: 0 where as many processors were left to it, 1 where none was.
    /// </summary>
    public double TakenByOthersSince(ProcessorUse before, int threads)
    {
        double seconds = Elapsed - before.Elapsed;
        double wanted = Math.Min(threads, Processors) * seconds;
        double others = Busy - before.Busy - (Own - before.Own);
        return seconds <= 0 ? 0 : Math.Clamp((others - ((Processors * seconds) - wanted)) / wanted, 0, 1);
    }
}
