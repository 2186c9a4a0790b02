using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow doctor, on whatever machine this is.</summary>
public class DoctorTests
{
    private static readonly string[] s_always =
    [
        "cores",
        "memory",
        "locked-memory",
        "pinning",
        "huge-pages",
        "driver",
        "gpu",
        "nvrtc",
        "cublaslt",
        "cudnn",
        "cubins",
        "demo-text",
        "profiles",
    ];

    [Fact]
    public void It_prints_a_line_a_check_and_ends_well_whatever_is_missing()
    {
        using var scratch = new ScratchFolder();
        string[] lines = Programs.Good(Programs.DataflowProcess("doctor", scratch.Path)).TrimEnd('\n').Split('\n');
        Assert.All(lines, line => Assert.Contains(line.Split(' ')[0], new[] { "ok", "warn", "missing" }));
        Assert.Equal(s_always, lines.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]).Distinct());
        Assert.Contains(lines, line =>
            line.StartsWith("ok ", StringComparison.Ordinal) && line.Contains("h100-sxm", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void As_json_it_is_one_object_with_the_same_checks()
    {
        var checks = JsonDocument
            .Parse(Programs.Good(Programs.Dataflow("doctor --json")))
            .RootElement.GetProperty("checks")
            .EnumerateArray()
            .ToList();
        Assert.Equal(s_always, checks.Select(c => c.GetProperty("check").GetString()).Distinct());
        Assert.All(checks, c => Assert.Contains(c.GetProperty("status").GetString(), new[] { "ok", "warn", "missing" }));
        Assert.All(checks, c => Assert.NotEqual("", c.GetProperty("finding").GetString()));
        Assert.All(checks, c => Assert.Equal(c.GetProperty("status").GetString() == "ok", c.GetProperty("advice").GetString() == ""));
    }

    [Fact]
    public void It_takes_no_other_arguments() => Programs.Refused(2, Programs.Dataflow("doctor models/nano.json"));
}
