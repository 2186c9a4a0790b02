using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Dataflow.Training;

/// <summary>A process, told from a later one of the same number by when it started.</summary>
/// <param name="Id">The system's number for it.</param>
/// <param name="Start">When it started, in the system's own count; 0 where that cannot be known.</param>
/// <param name="Host">The machine's name, of letters, digits, dots and dashes.</param>
internal readonly partial record struct ProcessIdentity(int Id, long Start, string Host)
{
    /// <summary>This process.</summary>
    public static ProcessIdentity Own { get; } = new(Environment.ProcessId, StartOf(Environment.ProcessId) ?? 0, OwnHost());

    /// <summary>Whether it is this process.</summary>
    public bool IsOwn => this == Own;

    /// <summary>Whether it runs on this machine, as far as this machine can know: false for processes of others.</summary>
    public bool IsHere => Host == Own.Host;

    /// <summary>Whether it may still run: true for every process of another machine, of which nothing is known.</summary>
    public bool IsAlive => !IsHere || StartOf(Id) == Start;

    /// <summary>The process of that text; null if it is none.</summary>
    public static ProcessIdentity? Parse(string text) =>
        Grammar().Match(text) is { Success: true } match
        && int.TryParse(match.Groups[1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
        && long.TryParse(match.Groups[2].Value, NumberStyles.None, CultureInfo.InvariantCulture, out long start)
            ? new ProcessIdentity(id, start, match.Groups[3].Value)
            : null;

    /// <summary>"4711-8302@node7", fit for a file's name.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Id}-{Start}@{Host}");

    private static string OwnHost()
    {
        string name = NotInHostNames().Replace(Environment.MachineName, "-");
        return name.Length == 0 ? "localhost" : name[..Math.Min(name.Length, 64)];
    }

    /// <summary>Null if there is no such process.</summary>
    private static long? StartOf(int id)
    {
        try
        {
            if (OperatingSystem.IsLinux())
            {
                // The 22nd number: ticks from the machine's start. The second may itself hold spaces and ends at the last parenthesis.
                string status = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
                string[] fields = status[(status.LastIndexOf(')') + 2)..].Split(' ');
                return fields[0] is "Z" or "X" ? null : long.Parse(fields[19], CultureInfo.InvariantCulture);
            }

            using var process = Process.GetProcessById(id);
            return process.StartTime.ToFileTimeUtc();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException
            or Win32Exception or FormatException or IndexOutOfRangeException)
        {
            return null;
        }
    }

    [GeneratedRegex(@"^([0-9]{1,10})-([0-9]{1,19})@([A-Za-z0-9.-]{1,64})\z")]
    private static partial Regex Grammar();

    [GeneratedRegex("[^A-Za-z0-9.-]")]
    private static partial Regex NotInHostNames();
}
