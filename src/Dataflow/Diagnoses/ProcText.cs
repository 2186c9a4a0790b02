using System.Globalization;
using System.Text.RegularExpressions;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow;

/// <summary>Reads what Linux says in /proc and /sys. Everything is null where the text does not say it.</summary>
internal static partial class ProcText
{
    private const int LockCapability = 14; // CAP_IPC_LOCK

    /// <summary>A small file that the system or this program keeps; null where there is none.</summary>
    public static string? Of(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // another system, or nothing of the kind here
        }
    }

    /// <summary>The processor's name.</summary>
    public static string? ProcessorName(string? cpuInfo) => MemoryText.Field(cpuInfo, "model name");

    /// <summary>The soft limit of locked memory; the largest size where there is none.</summary>
    public static Bytes? LockedMemoryLimit(string? limits)
    {
        const string label = "Max locked memory";
        string? line = limits?.Split('\n').FirstOrDefault(l => l.StartsWith(label, StringComparison.Ordinal));
        string? soft = line?[label.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        return soft == "unlimited" ? new Bytes(long.MaxValue) : MemoryText.Number(soft) is { } bytes ? new Bytes(bytes) : null;
    }

    /// <summary>Whether the process may lock memory beyond its limit.</summary>
    public static bool MayLockAnyAmount(string? status) =>
        ulong.TryParse(MemoryText.Field(status, "CapEff"), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong capabilities)
        && (capabilities & (1UL << LockCapability)) != 0;

    /// <summary>The choice between brackets: "always [madvise] never".</summary>
    public static string? Chosen(string? choices) =>
        choices is not null && InBrackets().Match(choices) is { Success: true } match ? match.Groups[1].Value : null;

    /// <summary>The version in /proc/driver/nvidia/version.</summary>
    public static string? DriverVersion(string? text) =>
        text is not null && ModuleVersion().Match(text) is { Success: true } match ? match.Groups[1].Value : null;

    [GeneratedRegex(@"\[(\w+)\]")]
    private static partial Regex InBrackets();

    [GeneratedRegex(@"Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)")]
    private static partial Regex ModuleVersion();
}
