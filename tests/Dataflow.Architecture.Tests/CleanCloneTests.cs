using System.Diagnostics;
using System.Runtime.Versioning;

namespace Dataflow.Architecture.Tests;

/// <summary>What a clean clone must pass is the README's own command: `.ci/run` calls nothing else and prepares nothing for it.</summary>
[SupportedOSPlatform("linux")]
public sealed class CleanCloneTests : IDisposable
{
    // All that it may call beside make.
    private static readonly string[] s_tools = ["bash", "dirname", "mktemp", "rm", "tee", "tail", "grep"];

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("dataflow-clone-");

    public void Dispose() => folder.Delete(recursive: true);

    [Theory]
    [InlineData("echo 5 passed, 0 failed", 0, "5 passed, 0 failed")]
    [InlineData("echo 4 passed, 1 failed; exit 2", 2, "4 passed, 1 failed")]
    [InlineData("echo 5 passed, 0 failed; echo make: it goes on", 0, "5 passed, 0 failed")]
    [InlineData("echo nothing was built >&2; exit 2", 2, "0 passed, 0 failed")]
    [InlineData("echo nothing was tested", 1, "0 passed, 0 failed")]
    public void It_calls_make_test_and_nothing_else_and_ends_as_the_tests_do(string does, int status, string closing)
    {
        var (ended, output, calls) = Run(does);
        Assert.Equal(["test"], calls);
        Assert.Equal(status, ended);
        Assert.Equal(closing, output.TrimEnd('\n').Split('\n')[^1]);
        Assert.DoesNotContain("not found", output, StringComparison.Ordinal); // another program that it called
    }

    /// <summary>What `make test` needs, it gets by itself: the variables that others set are no part of it.</summary>
    [Fact]
    public void It_sets_no_variable_for_make()
    {
        var (_, output, _) = Run("export -p; echo 5 passed, 0 failed");
        string[] set =
        [
            .. output
                .Split('\n')
                .Where(l => l.StartsWith("declare -x ", StringComparison.Ordinal))
                .Select(l => l.Split(' ', '=')[2])
                .Except(["OLDPWD", "PWD", "SHLVL", "PATH", "_"]),
        ];
        Assert.Empty(set);
    }

    /// <summary>Runs it where nothing but those tools and a make that does as told can be called.</summary>
    private (int Status, string Output, string[] Calls) Run(string does)
    {
        foreach (string tool in s_tools)
        {
            File.CreateSymbolicLink(Path.Combine(folder.FullName, tool), new[] { $"/usr/bin/{tool}", $"/bin/{tool}" }.First(File.Exists));
        }

        string make = Path.Combine(folder.FullName, "make"), calls = Path.Combine(folder.FullName, "calls");
        File.WriteAllText(make, $"#!{Path.Combine(folder.FullName, "bash")}\necho \"$*\" >> {calls}\n{does}\n");
        File.SetUnixFileMode(make, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var start = new ProcessStartInfo("bash", ["-c", "exec bash \"$0\" 2>&1", Repository.Full(".ci/run")])
        {
            RedirectStandardOutput = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = folder.FullName;
        using var process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, File.ReadAllLines(calls));
    }
}
