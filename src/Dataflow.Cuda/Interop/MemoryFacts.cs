using Dataflow.Model;

namespace Dataflow.Cuda.Interop;

/// <summary>What Linux says of this machine's memory.</summary>
internal static unsafe class MemoryFacts
{
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
