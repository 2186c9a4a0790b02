using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Dataflow.Cli;

/// <summary>Runs a verb of this program in a process of its own, which does not outlive this one (<see cref="ParentWatch"/>).</summary>
internal static class VerbProcess
{
    private const int PollMilliseconds = 20;

    /// <summary>Runs it to its end, or to that of its time.</summary>
    public static TrainingOutcome Run(string[] arguments, TimeSpan limit)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "Dataflow.Cli.dll");
        var start = new ProcessStartInfo(Environment.ProcessPath ?? "dotnet", [program, .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        ParentWatch.Ask(start);
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        var clock = Stopwatch.StartNew();
        long? peak = null;
        while (!process.WaitForExit(PollMilliseconds))
        {
            peak = Peak(process.Id) ?? peak;
            if (clock.Elapsed > limit)
            {
                process.Kill(entireProcessTree: true);
                process.WaitForExit();
                return new TrainingOutcome(null, [], $"it took longer than {limit.TotalSeconds:0} s", peak);
            }
        }

        string said = errors.GetAwaiter().GetResult();
        string[] lines = output.GetAwaiter().GetResult().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string last = said.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault()
            ?? "it said nothing";
        return new TrainingOutcome(process.ExitCode, lines, $"status {process.ExitCode}, {last}", peak);
    }

    private static long? Peak(int id)
    {
        try
        {
            string? line = File.ReadLines($"/proc/{id}/status", Encoding.ASCII)
                .FirstOrDefault(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null
                ? null
                : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) << 10;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return null; // it ended just now, or this is another system
        }
    }
}
