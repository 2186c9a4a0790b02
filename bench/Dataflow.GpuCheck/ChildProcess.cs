using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Dataflow.GpuCheck;

/// <summary>How a process ended.</summary>
/// <param name="Status">Its exit status; null where its time was over and it was ended.</param>
/// <param name="Output">What it wrote to its standard output.</param>
/// <param name="Errors">What it wrote to its standard error.</param>
internal sealed record ChildOutcome(int? Status, string Output, string Errors)
{
    /// <summary>The last line that says something, of the errors if there are any.</summary>
    public string LastLine => Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault()
        ?? Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault()
        ?? "it said nothing";
}

/// <summary>Programs that the check starts.</summary>
internal static class ChildProcess
{
    /// <summary>127, as shells have it: there is no such program.</summary>
    public const int NotFound = 127;

    private static volatile bool s_stopped;

    /// <summary>Whether the check was told to end: what runs is ended, and nothing more is begun.</summary>
    public static bool Stopped => s_stopped;

    /// <summary>From now on SIGTERM and SIGINT end the programs that run, so that results are kept and nothing stays on the GPU.</summary>
    public static IDisposable StopOnSignals() => new Signals();

    /// <summary>Ends what runs, and begins nothing more.</summary>
    public static void Stop() => s_stopped = true;

    /// <summary>Runs one to its end, or to that of its time: then it is killed with all that it started.</summary>
    /// <param name="line">Called with each line of either output, one call at a time; returns nothing.</param>
    public static ChildOutcome Run(
        string program,
        IEnumerable<string> arguments,
        TimeSpan limit,
        Action<string> line,
        IReadOnlyDictionary<string, string>? environment = null
    ) =>
        Run(
            program,
            arguments,
            limit,
            text =>
            {
                line(text);
                return true;
            },
            environment
        );

    /// <summary>The same; where <paramref name="goesOn"/> says no, the program is ended as if its time were over.</summary>
    public static ChildOutcome Run(
        string program,
        IEnumerable<string> arguments,
        TimeSpan limit,
        Func<string, bool> goesOn,
        IReadOnlyDictionary<string, string>? environment = null,
        bool keepsInput = false
    )
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Directory.GetCurrentDirectory(),
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = new Process { StartInfo = start };
        var (output, errors) = (new StringBuilder(), new StringBuilder());
        using var enough = new ManualResetEventSlim();
        var gate = new Lock();
        void Take(StringBuilder into, string? text)
        {
            lock (gate)
            {
                if (text is not null)
                {
                    into.AppendLine(text);
                    if (!goesOn(text))
                    {
                        enough.Set();
                    }
                }
            }
        }

        process.OutputDataReceived += (_, e) => Take(output, e.Data);
        process.ErrorDataReceived += (_, e) => Take(errors, e.Data);
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            return new ChildOutcome(NotFound, "", $"{program} cannot be started: {e.Message}");
        }

        // A case's process takes the end of its input for that of the check, and a program that reads none does not mind.
        if (!keepsInput)
        {
            process.StandardInput.Close();
        }

        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var clock = Stopwatch.StartNew();
        bool ended = false;
        while (!ended && !enough.IsSet && !s_stopped && clock.Elapsed < limit)
        {
            ended = process.WaitForExit(20);
        }

        if (!ended && !process.HasExited)
        {
            process.Kill(entireProcessTree: true);
        }

        process.WaitForExit(); // until both outputs are read
        lock (gate)
        {
            return new ChildOutcome(ended ? process.ExitCode : null, output.ToString(), errors.ToString());
        }
    }

    private sealed class Signals : IDisposable
    {
        private readonly PosixSignalRegistration[] registrations =
        [
            .. new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT }.Select(s => PosixSignalRegistration.Create(s, context =>
            {
                context.Cancel = true;
                Stop();
            })),
        ];

        public void Dispose() => Array.ForEach(registrations, r => r.Dispose());
    }
}
