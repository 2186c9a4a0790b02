using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>A control group that limits memory.</summary>
/// <param name="Group">Its path below the controller.</param>
/// <param name="Limit">Bytes that its processes may use together.</param>
/// <param name="Used">Bytes that they use, less file pages that are given back when memory is wanted.</param>
public sealed record GroupLimit(string Group, Bytes Limit, Bytes Used);

/// <summary>Where a group's limit, its use and its statistics are.</summary>
public readonly record struct GroupFiles(string Group, string Limit, string Used, string Statistics);

/// <summary>The control groups that limit a process's memory, of both versions.</summary>
public static class ControlGroups
{
    private const string Place = "/sys/fs/cgroup";

    // Version 1 writes the largest multiple of a page for "no limit"; no machine has an exbibyte.
    private const long Unlimited = 1L << 60;

    /// <summary>
    /// For each group of /proc/self/cgroup and each one above it that is visible here, where its figures are. A process is limited by all
    /// of them.
    /// </summary>
    /// <param name="cgroup">/proc/self/cgroup; null where there is none.</param>
    /// <param name="mountInfo">
    /// /proc/self/mountinfo: a container sees its part of the tree at the place of the whole, and its path may begin above that part. Null:
    /// the whole tree is where it usually is.
    /// </param>
    public static IEnumerable<GroupFiles> FilesOf(string? cgroup, string? mountInfo)
    {
        foreach (string line in (cgroup ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Split(':', 3) is not [var number, var controllers, var path])
            {
                continue;
            }

            bool unified = number == "0" && controllers.Length == 0;
            if (!unified && !controllers.Split(',').Contains("memory"))
            {
                continue;
            }

            var (top, mount) = MountOf(mountInfo, unified) ?? ("/", unified ? Place : Place + "/memory");

            // What lies outside of what a container sees begins with "/..": the part that it sees is all it has.
            string within =
                path.Contains("/..", StringComparison.Ordinal) ? ""
                : top == "/" ? path
                : path == top || path.StartsWith(top + "/", StringComparison.Ordinal) ? path[top.Length..]
                : path;
            for (string group = within.TrimEnd('/'); ; group = group[..group.LastIndexOf('/')])
            {
                yield return unified
                    ? new GroupFiles(
                        group + "/",
                        $"{mount}{group}/memory.max",
                        $"{mount}{group}/memory.current",
                        $"{mount}{group}/memory.stat"
                    )
                    : new GroupFiles(
                        group + "/",
                        $"{mount}{group}/memory.limit_in_bytes",
                        $"{mount}{group}/memory.usage_in_bytes",
                        $"{mount}{group}/memory.stat"
                    );
                if (!group.Contains('/', StringComparison.Ordinal))
                {
                    break;
                }
            }
        }
    }

    /// <summary>The limit that a group's files state; null if it has none.</summary>
    public static GroupLimit? LimitOf(string group, string? limit, string? used, string? statistics = null)
    {
        if (MemoryText.Number(limit?.Trim()) is not ({ } most and < Unlimited))
        {
            return null;
        }

        // Files that were read are counted as use, and given back as soon as something else needs the memory.
        long files = Statistic(statistics, "total_inactive_file") ?? Statistic(statistics, "inactive_file") ?? 0;
        return new GroupLimit(group, new Bytes(most), new Bytes(Math.Max(0, (MemoryText.Number(used?.Trim()) ?? 0) - files)));
    }

    private static long? Statistic(string? statistics, string name) =>
        MemoryText.Number(statistics?.Split('\n').Select(l => l.Split(' ')).FirstOrDefault(l => l.Length == 2 && l[0] == name)?[1].Trim());

    // A line: number, parent, device, what of the tree is mounted, where, options, any number of fields, "-", type, source, more options.
    private static (string Top, string Mount)? MountOf(string? mountInfo, bool unified)
    {
        foreach (string line in (mountInfo ?? "").Split('\n'))
        {
            string[] fields = line.Split(' ');
            int dash = Array.IndexOf(fields, "-");
            if (
                dash >= 5
                && fields.Length > dash + 3
                && (
                    unified ? fields[dash + 1] == "cgroup2" : fields[dash + 1] == "cgroup" && fields[dash + 3].Split(',').Contains("memory")
                )
            )
            {
                return (fields[3], fields[4]);
            }
        }

        return null;
    }
}
