using System.Text.Json.Nodes;

namespace Dataflow.Cli.Tests;

/// <summary>bench/gpu_check.sh rehearsed over the emulated driver: what it keeps, what it skips, what it refuses.</summary>
public class GpuCheckTests
{
    private static readonly string s_script = Path.Combine(Programs.Root, "bench", "gpu_check.sh");

    private static Outcome Check(params string[] arguments) => Programs.Run(s_script, ["--device", "cuda-emulated", .. arguments]);

    private static JsonArray Cases(ScratchFolder scratch) => JsonNode.Parse(File.ReadAllText(scratch.File("gpu_check.json")))!["cases"]!.AsArray();

    [Fact]
    public void Named_cases_pass_and_are_kept_as_json_and_as_a_table()
    {
        using var scratch = new ScratchFolder();
        string output = Programs.Good(Check("--out", scratch.Path, "machine", "golden/llama-small-fp32", "kernels/definitions-memory"));
        Assert.Contains("3 of 3 passed", output, StringComparison.Ordinal);
        var cases = Cases(scratch);
        Assert.Equal(["machine/versions", "kernels/definitions-memory", "golden/llama-small-fp32"], cases.Select(c => $"{c!["stage"]}/{c["case"]}"));
        Assert.All(cases, c => Assert.Equal("Passed", (string)c!["verdict"]!));
        Assert.Equal("Emulated GPU", (string)cases[0]!["figures"]!["gpu"]!);
        Assert.InRange((double)cases[2]!["figures"]!["worst_share_of_bound"]!, 0, 1);
        string table = File.ReadAllText(scratch.File("gpu_check.md"));
        Assert.Contains("| golden | llama-small-fp32 | passed |", table, StringComparison.Ordinal);
    }

    [Fact]
    public void Plans_of_a_search_show_what_only_a_search_chooses_and_give_the_same_bits()
    {
        using var scratch = new ScratchFolder();
        string output = Programs.Good(Check("--out", scratch.Path, "bits/searched-32-nano-bf16"));
        Assert.All(new[] { "interleaved rounds", "spread residents", "rotating gradients", "two save sets" }, trait => Assert.Contains(trait, output, StringComparison.Ordinal));
        Assert.Equal(3, (int)Cases(scratch)[0]!["figures"]!["runs"]!);
    }

    [Fact]
    public void Cut_short_it_keeps_what_it_has_and_goes_on_from_there()
    {
        using var scratch = new ScratchFolder();
        Programs.Good(Check("--out", scratch.Path, "machine"));
        string at = (string)Cases(scratch)[0]!["at"]!;

        // No time for anything: what is done is known, the rest is said not to have begun.
        var cut = Check("--out", scratch.Path, "--limit", "1");
        Assert.Equal(1, cut.Status);
        Assert.Contains("machine/versions: passed at " + at, cut.Output, StringComparison.Ordinal);
        Assert.Contains("golden/llama-small-fp32: not begun", cut.Output, StringComparison.Ordinal);
        Assert.Single(Cases(scratch));
    }

    [Fact]
    public void A_case_that_takes_too_long_is_ended_and_said_to_be_out_of_time()
    {
        using var scratch = new ScratchFolder();
        var outcome = Check("--out", scratch.Path, "--limit", "4", "kernels/definitions-flash_attention");
        Assert.Equal(1, outcome.Status);
        Assert.Equal("OutOfTime", (string)Cases(scratch)[0]!["verdict"]!);
    }

    [Theory]
    [InlineData("no-stage", "'no-stage' is no stage; choose among machine, ")]
    [InlineData("golden/no-case", "stage golden has no case no-case; there are llama-small-fp32, ")]
    [InlineData("--no-option", "unknown option --no-option; there are ")]
    public void What_it_does_not_know_is_refused_with_what_there_is(string argument, string sentence)
    {
        using var scratch = new ScratchFolder();
        Assert.Contains(sentence, Programs.Refused(2, Check("--out", scratch.Path, argument)), StringComparison.Ordinal);
    }
}
