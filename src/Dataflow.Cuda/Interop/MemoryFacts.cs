using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Cuda.Interop;

/// <summary>What Linux says of this machine's memory.</summary>
internal static unsafe class MemoryFacts
{
    private const string Label = "MemAvailable:";

    /// <summary>What new programs may take; null where the system does not say.</summary>
    public static Bytes? Available
    {
        get
        {
            try
            {
                string? line = File.ReadLines("/proc/meminfo").FirstOrDefault(l => l.StartsWith(Label, StringComparison.Ordinal));
                string? number = line?[Label.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
                return long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long kibibytes) ? new Bytes(kibibytes << 10) : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
    }

    /// <summary>The limit of locked memory, for messages: "8.00 MiB", "unlimited".</summary>
    public static string LockedLimit
    {
        get
        {
            ulong* limit = stackalloc ulong[2];
            return LinuxApi.getrlimit(LinuxApi.LimitOfLockedMemory, limit) != 0 ? "not known"
                : limit[0] > long.MaxValue ? "unlimited"
                : new Bytes((long)limit[0]).ToString();
        }
    }
}
