using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>How much memory this machine, or the container that the program runs in, has.</summary>
/// <param name="Total">All of it: what the kernel says, or the least limit of a control group above this process.</param>
/// <param name="Available">What new programs may take, page cache that can be given back counted in.</param>
/// <param name="Limit">The control group with the least limit; null where none is below what the machine has.</param>
/// <param name="Growth">Why there may be more than it says; null where there is no sign of it.</param>
/// <remarks>
/// The runtime's own figure is not used: within a control group it is three quarters of the limit, the part that it lets its own heap
/// grow to, and arenas are not on that heap.
/// </remarks>
public sealed record MachineMemory(Bytes Total, Bytes Available, GroupLimit? Limit, MemoryGrowth? Growth)
{
    /// <summary>As of now.</summary>
    /// <param name="root">Where /proc and /sys are looked for.</param>
    public static MachineMemory Read(string root = "/")
    {
        string? Text(string path) => TextOf(root, path);
        string? memInfo = Text("/proc/meminfo");
        GroupLimit[] groups =
        [
            .. ControlGroups.FilesOf(Text("/proc/self/cgroup"), Text("/proc/self/mountinfo"))
                .Select(g => ControlGroups.LimitOf(g.Group, Text(g.Limit), Text(g.Used), Text(g.Statistics)))
                .OfType<GroupLimit>(),
        ];

        // Another system than Linux: what the runtime says is all there is to know.
        var all = MemoryText.Memory(memInfo, "MemTotal") ?? new Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        return Of(
            all,
            MemoryText.Memory(memInfo, "MemAvailable") ?? all,
            groups,
            MemoryGrowth.Seen(all, memInfo, Text("/proc/version"), MemoryBlocks(root), VirtioDevices(root))
        );
    }

    /// <summary>From what was found.</summary>
    public static MachineMemory Of(Bytes all, Bytes free, IReadOnlyList<GroupLimit> groups, MemoryGrowth? growth)
    {
        var least = groups.Where(g => g.Limit < all).MinBy(g => g.Limit);

        // A limit binds whatever the machine grows to.
        bool limited = least is not null && growth is not null;
        return new MachineMemory(
            least?.Limit ?? all,
            groups.Select(g => Bytes.Max(g.Limit - g.Used, Bytes.Zero)).Append(free).Min(),
            least,
            limited ? null : growth
        );
    }

    /// <summary>A small file of the system's own; null where there is none.</summary>
    /// <param name="root">Below which it lies; tests have their own.</param>
    /// <param name="path">As /proc/meminfo.</param>
    internal static string? TextOf(string root, string path)
    {
        try
        {
            return File.ReadAllText(Path.Join(root, path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // another system, or nothing of the kind here
        }
    }

    /// <summary>Memory that is plugged in, in the blocks that Linux manages it by; null where it does not say.</summary>
    private static Bytes? MemoryBlocks(string root)
    {
        const string folder = "/sys/devices/system/memory";
        return MemoryText.Hexadecimal(TextOf(root, folder + "/block_size_bytes")) is { } size && size > 0
            ? new Bytes(
                size
                    * Folders(root, folder)
                        .Count(name =>
                            name.StartsWith("memory", StringComparison.Ordinal) && name["memory".Length..].All(char.IsAsciiDigit)
                        )
            )
            : null;
    }

    private static IEnumerable<string> VirtioDevices(string root)
    {
        const string folder = "/sys/bus/virtio/devices";
        return Folders(root, folder).Select(name => TextOf(root, $"{folder}/{name}/device")?.Trim()).OfType<string>();
    }

    private static IReadOnlyList<string> Folders(string root, string folder)
    {
        try
        {
            return [.. Directory.EnumerateDirectories(Path.Join(root, folder)).Select(d => Path.GetFileName(d))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
