using System.Globalization;
using System.Text.RegularExpressions;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>Reads what Linux says in /proc and /sys. Everything is null where the text does not say it.</summary>
internal static partial class ProcText
{
    private const int LockCapability = 14; // CAP_IPC_LOCK

    // Version 1 writes the largest multiple of a page for "no limit"; no machine has an exbibyte.
    private const long Unlimited = 1L << 60;

    /// <summary>A line of /proc/meminfo, such as "MemAvailable:       24327272 kB".</summary>
    public static Bytes? Memory(string? memInfo, string label) =>
        Field(memInfo, label) is { } text && Number(text.Split(' ')[0]) is { } kibibytes ? new Bytes(kibibytes << 10) : null;

    /// <summary>A count in /proc/meminfo.</summary>
    public static long? Count(string? memInfo, string label) => Field(memInfo, label) is { } text ? Number(text) : null;

    /// <summary>The processor's name.</summary>
    public static string? ProcessorName(string? cpuInfo) => Field(cpuInfo, "model name");

    /// <summary>The soft limit of locked memory; the largest size where there is none.</summary>
    public static Bytes? LockedMemoryLimit(string? limits)
    {
        const string label = "Max locked memory";
        string? line = limits?.Split('\n').FirstOrDefault(l => l.StartsWith(label, StringComparison.Ordinal));
        string? soft = line?[label.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        return soft == "unlimited" ? new Bytes(long.MaxValue) : Number(soft) is { } bytes ? new Bytes(bytes) : null;
    }

    /// <summary>Whether the process may lock memory beyond its limit.</summary>
    public static bool MayLockAnyAmount(string? status) =>
        ulong.TryParse(Field(status, "CapEff"), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong capabilities)
        && (capabilities & (1UL << LockCapability)) != 0;

    /// <summary>The choice between brackets: "always [madvise] never".</summary>
    public static string? Chosen(string? choices) => choices is not null && InBrackets().Match(choices) is { Success: true } match ? match.Groups[1].Value : null;

    /// <summary>The version in /proc/driver/nvidia/version.</summary>
    public static string? DriverVersion(string? text) => text is not null && ModuleVersion().Match(text) is { Success: true } match ? match.Groups[1].Value : null;

    /// <summary>
    /// Where the memory limits of a process are: for each group of /proc/self/cgroup and each one above it the group and the files of
    /// its limit and its use, for both versions of control groups. A process is limited by all of them.
    /// </summary>
    public static IEnumerable<(string Group, string LimitFile, string UsedFile)> GroupFiles(string? cgroup)
    {
        foreach (string line in (cgroup ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = line.Split(':', 3);
            if (parts.Length < 3)
            {
                continue;
            }

            bool unified = parts[0] == "0" && parts[1].Length == 0;
            if (!unified && !parts[1].Split(',').Contains("memory"))
            {
                continue;
            }

            for (string group = parts[2].TrimEnd('/'); ; group = group[..group.LastIndexOf('/')])
            {
                yield return unified
                    ? (group + "/", $"/sys/fs/cgroup{group}/memory.max", $"/sys/fs/cgroup{group}/memory.current")
                    : (group + "/", $"/sys/fs/cgroup/memory{group}/memory.limit_in_bytes", $"/sys/fs/cgroup/memory{group}/memory.usage_in_bytes");
                if (!group.Contains('/', StringComparison.Ordinal))
                {
                    break;
                }
            }
        }
    }

    /// <summary>The limit that a group's two files state; null if it has none.</summary>
    public static GroupLimit? LimitOf(string group, string? limit, string? used) =>
        Number(limit?.Trim()) is { } most and < Unlimited ? new GroupLimit(group, new Bytes(most), new Bytes(Number(used?.Trim()) ?? 0)) : null;

    private static string? Field(string? text, string label) => text?.Split('\n')
        .Select(line => line.Split(':', 2))
        .FirstOrDefault(parts => parts.Length == 2 && parts[0].Trim() == label)?[1].Trim();

    private static long? Number(string? text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;

    [GeneratedRegex(@"\[(\w+)\]")]
    private static partial Regex InBrackets();

    [GeneratedRegex(@"Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)")]
    private static partial Regex ModuleVersion();
}
