using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>A sign that this machine is given more memory as it uses what it has, so that what it says now is no bound.</summary>
/// <param name="Sign">What was seen: "its memory is plugged in as it is used (virtio-mem)".</param>
/// <param name="UpTo">The most that can be seen coming; null where that is not known.</param>
public sealed record MemoryGrowth(string Sign, Bytes? UpTo)
{
    /// <summary>The number of virtio-mem among virtio's kinds of devices, as sysfs writes it.</summary>
    public const string PluggedDevice = "0x0018";

    // gVisor has no other sign; all its versions say that they were made then.
    private const string SandboxKernel = "Sun Jan 10 15:06:54 PST 2016";
    private static readonly Bytes s_kernelsOwn = new(1L << 30);

    /// <summary>The first sign; null where there is none.</summary>
    /// <param name="total">MemTotal.</param>
    /// <param name="memInfo">/proc/meminfo; null where there is none.</param>
    /// <param name="version">/proc/version.</param>
    /// <param name="blocks">Bytes of all memory blocks; null where Linux does not say.</param>
    /// <param name="virtio">The kinds of all virtio devices.</param>
    public static MemoryGrowth? Seen(Bytes total, string? memInfo, string? version, Bytes? blocks, IEnumerable<string> virtio)
    {
        if (virtio.Contains(PluggedDevice, StringComparer.OrdinalIgnoreCase))
        {
            return new MemoryGrowth("its memory is plugged in as it is used (virtio-mem)", null);
        }

        // The kernel keeps a sixty-fourth for its tables and some hundreds of MiB; a balloon takes much more.
        if (blocks is { } plugged && plugged - total > Bytes.Max(s_kernelsOwn, new Bytes(plugged.Value / 16)))
        {
            return new MemoryGrowth($"{plugged} are plugged in, of which it has {total} now", plugged);
        }

        if (MemoryText.Memory(memInfo, "Balloon") is { } balloon && balloon.Value > total.Value / 16)
        {
            return new MemoryGrowth($"a balloon holds {balloon} of it", null);
        }

        return
            version?.Contains(SandboxKernel, StringComparison.Ordinal) == true
            || version?.Contains("gvisor", StringComparison.OrdinalIgnoreCase) == true
            ? new MemoryGrowth("its kernel (gVisor) says that there is more as more is used", null)
            : null;
    }
}
