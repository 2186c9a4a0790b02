using System.Diagnostics;

namespace Dataflow.Architecture.Tests;

/// <summary>
/// A test that hangs is stopped and named (tests/watch.sh), whether it waits for ever or never ends; others are left alone.
/// </summary>
[Trait("Slow", "true")]
public sealed class HangTests : IDisposable
{
    private const string Seconds = "2";

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("dataflow-hang-");

    public void Dispose() => folder.Delete(recursive: true);

    [Fact(Explicit = true)]
    public void Waits_for_ever() => Thread.Sleep(Timeout.Infinite);

    [Fact(Explicit = true)]
    public void Never_ends()
    {
        while (Environment.ProcessId > 0)
        {
        }
    }

    [Fact(Explicit = true)]
    public void Waits_for_a_program_for_ever()
    {
        using var program = Process.Start("sleep", "1000000");
        program.WaitForExit();
    }

    [Fact(Explicit = true)]
    public void Ends() => Assert.Equal(64, Environment.Is64BitProcess ? 64 : 32);

    [Theory]
    [InlineData(nameof(Waits_for_ever))]
    [InlineData(nameof(Never_ends))]
    [InlineData(nameof(Waits_for_a_program_for_ever))]
    public void A_test_that_hangs_is_stopped_and_named(string test)
    {
        var (status, named) = Watch(test);
        Assert.Equal(124, status);
        Assert.Equal([$"{typeof(HangTests).FullName}.{test}"], named);
    }

    [Fact]
    public void A_program_whose_tests_end_ends_as_it_does()
    {
        var (status, named) = Watch(nameof(Ends));
        Assert.Equal(0, status);
        Assert.Empty(named);
    }

    private (int Status, string[] Named) Watch(string test)
    {
        string log = Path.Combine(folder.FullName, "log");
        string dotnet = Environment.GetEnvironmentVariable("DOTNET") is { Length: > 0 } named ? named : "dotnet";
        var start = new ProcessStartInfo("bash",
        [
            Repository.Full("tests/watch.sh"), log, dotnet, typeof(HangTests).Assembly.Location,
            "-noLogo", "-noColor", "-explicit", "only", "-longRunning", Seconds, "-method", $"{typeof(HangTests).FullName}.{test}",
        ]);
        start.Environment["DATAFLOW_HANG_SECONDS"] = Seconds;
        using var watch = Process.Start(start)!;
        watch.WaitForExit();
        return (watch.ExitCode, File.Exists(log + ".hung") ? File.ReadAllLines(log + ".hung") : []);
    }
}
