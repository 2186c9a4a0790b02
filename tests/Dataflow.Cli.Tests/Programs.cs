using System.Diagnostics;
using TransformerDemo;

namespace Dataflow.Cli.Tests;

/// <summary>What a program said and how it ended.</summary>
internal readonly record struct Outcome(int Status, string Output, string Errors);

/// <summary>
/// Runs what a user would run. What is about a process (its signals, its end, its streams, its folder and variables) runs as one, from
/// bin/ as `make build` left it; every other command line runs in this process, from the same entry point.
/// </summary>
internal static class Programs
{
    public static string Root { get; } = FindRoot();

    public static Outcome Run(
        string file,
        IEnumerable<string> arguments,
        string? folder = null,
        IReadOnlyDictionary<string, string?>? environment = null
    )
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            WorkingDirectory = folder ?? Root,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Outcome(process.ExitCode, output, errors.GetAwaiter().GetResult());
    }

    /// <summary>`dataflow` with arguments that hold no spaces, in this process where that makes no difference.</summary>
    public static Outcome Dataflow(string arguments) =>
        NeedsProcess(arguments) ? DataflowProcess(arguments) : InProcess.Run(DataflowCommand.Run, Split(arguments));

    /// <summary>`transformerDemo`, likewise.</summary>
    public static Outcome Demo(string arguments) =>
        NeedsProcess(arguments) ? DemoProcess(arguments) : InProcess.Run(DemoCommand.Run, Split(arguments));

    /// <summary>bin/dataflow as a process, in a folder.</summary>
    public static Outcome DataflowProcess(string arguments, string? folder = null) =>
        Run(Path.Combine(Root, "bin", "dataflow"), Split(arguments), folder);

    /// <summary>bin/transformerDemo as a process.</summary>
    public static Outcome DemoProcess(string arguments) => Run(Path.Combine(Root, "bin", "transformerDemo"), Split(arguments));

    // A process has one driver, the real or the emulated one; and a program asks the system whether a terminal reads what it prints.
    private static bool NeedsProcess(string arguments) =>
        arguments.Contains("--device cuda", StringComparison.Ordinal) || !Console.IsOutputRedirected || !Console.IsErrorRedirected;

    private static string[] Split(string arguments) => arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The output of a program that ended well.</summary>
    public static string Good(Outcome outcome)
    {
        Assert.True(outcome.Status == 0, $"status {outcome.Status}: {outcome.Errors}{outcome.Output}");
        Assert.Equal("", outcome.Errors);
        return outcome.Output;
    }

    /// <summary>One sentence on stderr, no trace of the program's insides, and that status.</summary>
    public static string Refused(int status, Outcome outcome)
    {
        Assert.True(outcome.Status == status, $"status {outcome.Status}: {outcome.Errors}{outcome.Output}");
        Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n'));
        Assert.StartsWith(status == 3 ? "infeasible: " : "error: ", outcome.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("at Dataflow.", outcome.Errors + outcome.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", outcome.Errors, StringComparison.Ordinal);
        return outcome.Errors;
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Dataflow.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException(
            $"No folder above {AppContext.BaseDirectory} holds Dataflow.sln: run these tests where they were built."
        );
    }
}
