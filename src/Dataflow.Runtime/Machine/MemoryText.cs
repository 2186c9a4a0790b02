using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>Reads what Linux writes of memory. Everything is null where the text does not say it.</summary>
public static class MemoryText
{
    /// <summary>A line of /proc/meminfo, such as "MemAvailable:       24327272 kB".</summary>
    public static Bytes? Memory(string? memInfo, string label) =>
        Field(memInfo, label) is { } text && Number(text.Split(' ')[0]) is { } kibibytes and <= long.MaxValue >> 10
            ? new Bytes(kibibytes << 10)
            : null;

    /// <summary>A count in /proc/meminfo.</summary>
    public static long? Count(string? memInfo, string label) => Field(memInfo, label) is { } text ? Number(text) : null;

    /// <summary>What follows a label and a colon on its line.</summary>
    public static string? Field(string? text, string label) => text?.Split('\n')
        .Select(line => line.Split(':', 2))
        .FirstOrDefault(parts => parts.Length == 2 && parts[0].Trim() == label)?[1].Trim();

    /// <summary>A whole number in digits alone.</summary>
    public static long? Number(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;

    /// <summary>A whole number in hexadecimal digits alone, as sysfs writes the size of a memory block.</summary>
    public static long? Hexadecimal(string? text) =>
        long.TryParse(text?.Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long value) ? value : null;
}
