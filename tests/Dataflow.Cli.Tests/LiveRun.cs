using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>A training run with --json that a test watches while it goes on, and sends signals to.</summary>
internal sealed partial class LiveRun : IDisposable
{
    public const int Hup = 1, Int = 2, Kill = 9, User = 10, Term = 15;
    private readonly Process process;
    private readonly Task<string> errors;
    private readonly List<JsonElement> events = [];

    private LiveRun(ProcessStartInfo start)
    {
        process = Process.Start(start)!;
        process.StandardInput.Close();
        errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>What it has said so far.</summary>
    public IReadOnlyList<JsonElement> Events => events;

    /// <summary>bin/dataflow with arguments that hold no spaces.</summary>
    /// <remarks>A shell has its background jobs ignore interrupts, and nohup hang-ups: the run is to heed them all the same.</remarks>
    public static LiveRun Dataflow(string arguments, string? by = null)
    {
        string[] command =
        [
            "env",
            "--default-signal=INT,HUP,TERM,USR1",
            .. by is null ? [] : new[] { by },
            Path.Combine(Programs.Root, "bin", "dataflow"),
            .. arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        ];
        return new LiveRun(
            new ProcessStartInfo(command[0], command[1..])
            {
                WorkingDirectory = Programs.Root,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        );
    }

    /// <summary>Reads on to an event of that kind, the so-manieth from here; false at the end.</summary>
    public bool Await(string kind, int count = 1)
    {
        while (count > 0)
        {
            if (process.StandardOutput.ReadLine() is not { } line)
            {
                return false;
            }

            events.Add(JsonDocument.Parse(line).RootElement);
            count -= Kinds(events[^1], kind) ? 1 : 0;
        }

        return true;
    }

    /// <summary>Whether it was still there to take it.</summary>
    public bool Send(int signal) => Signal(process, signal);

    /// <summary>Likewise, of any process.</summary>
    public static bool Signal(Process process, int signal) => SendSignal(process.Id, signal) == 0;

    /// <summary>Reads to the end.</summary>
    /// <returns>The status as a shell has it, and the messages.</returns>
    public (int Status, string Errors) End()
    {
        Await("no such event");
        process.WaitForExit();
        return (process.ExitCode, errors.GetAwaiter().GetResult());
    }

    public JsonElement[] Of(string kind) => [.. events.Where(e => Kinds(e, kind))];

    public int Steps => Of("step").Length;

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.Kill();
        }

        process.Dispose();
    }

    private static bool Kinds(JsonElement e, string kind) => e.GetProperty("event").GetString() == kind;

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}
