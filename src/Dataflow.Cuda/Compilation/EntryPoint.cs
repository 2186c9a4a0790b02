using System.Globalization;
using System.Text.RegularExpressions;

namespace Dataflow.Cuda;

/// <summary>What one kernel takes of a GPU, as the assembler reports it.</summary>
/// <param name="Name">As launches name it.</param>
/// <param name="Registers">Of a thread.</param>
/// <param name="StackBytes">Local memory of a thread: arrays that are indexed at run time, and spills.</param>
/// <param name="SpillStoreBytes">Registers written to local memory because there are too few.</param>
/// <param name="SpillLoadBytes">Read back.</param>
/// <param name="SharedBytes">Of a block, beside what launches add.</param>
public sealed partial record EntryPoint(
    string Name,
    int Registers,
    int StackBytes,
    int SpillStoreBytes,
    int SpillLoadBytes,
    int SharedBytes
)
{
    /// <summary>Whether anything of a thread lies in local memory.</summary>
    public bool Spills => SpillStoreBytes > 0 || SpillLoadBytes > 0 || StackBytes > 0;

    /// <summary>Reads the compiler's log. What functions that were not inlined spill counts for the kernel before them.</summary>
    public static IReadOnlyList<EntryPoint> ReadLog(string log)
    {
        var all = new List<EntryPoint>();
        foreach (string line in log.Split('\n'))
        {
            if (Begin().Match(line) is { Success: true } begin)
            {
                all.Add(new EntryPoint(begin.Groups[1].Value, 0, 0, 0, 0, 0));
            }
            else if (all.Count == 0)
            {
                continue;
            }
            else if (Stack().Match(line) is { Success: true } stack)
            {
                all[^1] = all[^1] with
                {
                    StackBytes = Math.Max(all[^1].StackBytes, Number(stack, 1)),
                    SpillStoreBytes = all[^1].SpillStoreBytes + Number(stack, 2),
                    SpillLoadBytes = all[^1].SpillLoadBytes + Number(stack, 3),
                };
            }
            else if (Used().Match(line) is { Success: true } used)
            {
                all[^1] = all[^1] with
                {
                    Registers = Number(used, 1),
                    SharedBytes = Shared().Match(line) is { Success: true } shared ? Number(shared, 1) : 0,
                };
            }
        }

        return [.. all.OrderBy(e => e.Name, StringComparer.Ordinal)];
    }

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex("Compiling entry function '([^']+)'")]
    private static partial Regex Begin();

    [GeneratedRegex(@"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")]
    private static partial Regex Stack();

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex Used();

    [GeneratedRegex(@"(\d+) bytes smem")]
    private static partial Regex Shared();
}
