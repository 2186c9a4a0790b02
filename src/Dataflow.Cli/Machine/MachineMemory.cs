using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>How much memory this machine, or the container that the program runs in, has.</summary>
/// <param name="Total">All of it.</param>
/// <param name="Available">What new programs may take.</param>
internal sealed record MachineMemory(Bytes Total, Bytes Available)
{
    /// <summary>As of now.</summary>
    public static MachineMemory Read()
    {
        // The runtime knows the limits of containers.
        var total = new Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        long available = total.Value;
        if (NumberIn("/proc/meminfo", "MemAvailable:") is { } kibibytes)
        {
            available = Math.Min(available, kibibytes << 10);
        }

        if (NumberIn("/sys/fs/cgroup/memory.max", "") is { } limit && NumberIn("/sys/fs/cgroup/memory.current", "") is { } used)
        {
            available = Math.Min(available, Math.Max(limit - used, 0));
        }

        return new MachineMemory(total, new Bytes(available));
    }

    private static long? NumberIn(string file, string label)
    {
        try
        {
            string? line = File.ReadLines(file).FirstOrDefault(l => l.StartsWith(label, StringComparison.Ordinal));
            string? number = line?[label.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
            return long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // another system, or no such limit
        }
    }
}
