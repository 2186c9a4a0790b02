using System.Text.Json.Nodes;

namespace Dataflow.Cli.Tests;

/// <summary>bench/gpu_check.sh rehearsed over the emulated driver: what it keeps, what it skips, what it refuses.</summary>
[Trait("Slow", "true")]
public class GpuCheckTests
{
    private static readonly string s_script = Path.Combine(Programs.Root, "bench", "gpu_check.sh");

    /// <summary>What a GPU session runs, without one: cases in their order, up to a name.</summary>
    private static List<string> Listed() =>
        [
            .. Programs
                .Good(Programs.Run(s_script, ["--list"]))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(l => l.Split(' ')[0]),
        ];

    private static Outcome Check(params string[] arguments) => Programs.Run(s_script, ["--device", "cuda-emulated", .. arguments]);

    private static JsonArray Cases(ScratchFolder scratch) =>
        JsonNode.Parse(File.ReadAllText(scratch.File("gpu_check.json")))!["cases"]!.AsArray();

    [Fact]
    public void Named_cases_pass_and_are_kept_as_json_and_as_a_table()
    {
        using var scratch = new ScratchFolder();
        string output = Programs.Good(
            Check("--out", scratch.Path, "machine/versions", "golden/llama-small-fp32", "kernels/definitions-memory")
        );
        Assert.Contains("3 of 3 passed", output, StringComparison.Ordinal);
        var cases = Cases(scratch);
        Assert.Equal(
            ["machine/versions", "golden/llama-small-fp32", "kernels/definitions-memory"],
            cases.Select(c => $"{c!["stage"]}/{c["case"]}")
        );
        Assert.All(cases, c => Assert.Equal("Passed", (string)c!["verdict"]!));
        Assert.Equal("Emulated GPU", (string)cases[0]!["figures"]!["gpu"]!);
        Assert.InRange((double)cases[1]!["figures"]!["worst_share_of_bound"]!, 0, 1);
        string table = File.ReadAllText(scratch.File("gpu_check.md"));
        Assert.Contains("| golden | llama-small-fp32 | passed |", table, StringComparison.Ordinal);
    }

    [Fact]
    public void Plans_of_a_search_show_what_only_a_search_chooses_and_give_the_same_bits()
    {
        using var scratch = new ScratchFolder();
        string output = Programs.Good(Check("--out", scratch.Path, "bits/searched-32-nano-bf16"));
        Assert.All(new[] { "interleaved rounds", "spread residents", "rotating gradients", "two save sets" }, trait =>
            Assert.Contains(trait, output, StringComparison.Ordinal)
        );
        Assert.Equal(3, (int)Cases(scratch)[0]!["figures"]!["runs"]!);
    }

    /// <summary>
    /// The time of a call is short: what is cheap and decisive runs first, then the marks that small steps show, then what the next call
    /// plans with.
    /// </summary>
    [Fact]
    public void Without_a_name_every_stage_has_its_turn_in_the_order_of_what_is_worth_most()
    {
        var listed = Listed();
        int rest = listed.LastIndexOf("bits/searched-8192-1b-8-layers-bf16") + 1;
        string[] first =
        [
            .. listed[..rest]
                .Select(c => c.Split('/')[0])
                .Aggregate(new List<string>(), (stages, s) => stages.LastOrDefault() == s ? stages : [.. stages, s]),
        ];
        Assert.Equal(["machine", "launches", "compile", "golden", "speed", "marks", "calibrate", "bits"], first);
        Assert.Equal(["machine/versions", "machine/preflight", "machine/cudnn", "launches/gap"], listed[..4]);
        Assert.Equal(4, listed[..rest].Count(c => c.StartsWith("golden/", StringComparison.Ordinal)));
        string[] early = ["marks/1b-8192-40", "marks/8b-8192-78", "marks/8b-8192-78-cudnn", "speed/attention-8b-cudnn"];
        Assert.All(early, c => Assert.InRange(listed.IndexOf(c), 0, rest));
        Assert.Equal(rest, listed.IndexOf("marks/8b-8192-24")); // steps of 524,288 tokens are for the second call, and begin it
        Assert.All(["golden", "memory", "kernels", "marks", "peer", "conformance"], s =>
            Assert.Contains(listed[rest..], c => c.StartsWith(s + "/", StringComparison.Ordinal))
        );
        Assert.Equal(listed.Count, listed.Distinct().Count());
        Assert.Equal(14, listed.Count(c => c.StartsWith("marks/", StringComparison.Ordinal)));
    }

    [Fact]
    public void After_a_stage_that_failed_the_others_run_and_all_is_said_again_at_the_end()
    {
        using var scratch = new ScratchFolder();
        var outcome = Programs.Run(
            s_script,
            [
                "--device",
                "cuda-emulated",
                "--out",
                scratch.Path,
                "launches",
                "golden/llama-small-fp32",
                "marks/nano-32-dry",
                "kernels/definitions-memory",
            ],
            environment: new Dictionary<string, string?> { ["DATAFLOW_EMULATION"] = "cublas=0" }
        );
        Assert.Equal(1, outcome.Status);
        Assert.Equal(
            [
                ("launches/gap", "Passed"),
                ("golden/llama-small-fp32", "Failed"),
                ("marks/nano-32-dry", "Failed"),
                ("kernels/definitions-memory", "Passed"),
            ],
            Cases(scratch).Select(c => ($"{c!["stage"]}/{c["case"]}", (string)c["verdict"]!))
        );
        string[] last = [.. outcome.Output.TrimEnd().Split('\n')[^5..]];
        Assert.StartsWith("passed         launches/gap: ", last[0], StringComparison.Ordinal);
        Assert.StartsWith("FAILED         golden/llama-small-fp32: starting cuBLASLt", last[1], StringComparison.Ordinal);
        Assert.StartsWith("2 of 4 passed, ", last[4], StringComparison.Ordinal);
        Assert.Equal(outcome.Output.TrimEnd(), File.ReadAllText(scratch.File("gpu_check.log")).TrimEnd());
    }

    [Fact]
    public void A_device_budget_that_is_exceeded_is_reported_and_the_next_stage_runs()
    {
        using var scratch = new ScratchFolder();
        var outcome = Programs.Run(
            s_script, ["--device", "cuda-emulated", "--out", scratch.Path, "marks/nano-32-reserved", "memory"],
            environment: new Dictionary<string, string?> { ["DATAFLOW_EMULATION"] = "context_memory=1500000000" });
        Assert.Equal(1, outcome.Status);
        var cases = Cases(scratch);
        Assert.Equal("Failed", (string)cases[0]!["verdict"]!);
        Assert.Matches(
            @"^what it takes beside its arena was \d+\.\d\d MiB more than was reserved, so that it was planned for 1\.\d+ GiB; ",
            (string)cases[0]!["detail"]!
        );
        Assert.Equal("memory", (string)cases[1]!["stage"]!);
        Assert.Matches(@"^peak 1\.\d+ GiB of a budget of ", (string)cases[1]!["detail"]!);
        var nvml = cases[1]!["figures"]!["nvml"]!;
        Assert.Equal(0.02, (double)nvml["pause_seconds"]!);
        Assert.True((double)nvml["seconds_of_a_look"]! > 0);
    }

    [Fact]
    public void The_preflight_pins_copies_and_says_what_memory_there_is()
    {
        using var scratch = new ScratchFolder();
        Programs.Good(Check("--out", scratch.Path, "--poll", "5", "machine/preflight"));
        var figures = Cases(scratch)[0]!["figures"]!;
        Assert.True((long)figures["host_memory"]!["total_bytes"]! > 0);
        Assert.True((double)figures["copies"]!["each_with_both_bytes_per_s"]! > 0);
        Assert.Equal(8L << 20 >> 9, (long)figures[$"pinned_{8 << 20}"]!["device_bytes_expected"]!);
    }

    /// <summary>
    /// As `make bundle` asks before it packs: one of the runtime's own assemblies is compiled ahead, one of a package is not.
    /// </summary>
    [Fact]
    public void An_assembly_without_machine_code_among_those_that_were_compiled_ahead_is_named()
    {
        using var scratch = new ScratchFolder();
        File.Copy(typeof(System.Text.Json.JsonSerializer).Assembly.Location, scratch.File("Compiled.dll"));
        File.Copy(typeof(Assert).Assembly.Location, scratch.File("Plain.dll"));
        Programs.Good(Programs.Run(s_script, ["images", scratch.Path, "Compiled"]));
        var refused = Programs.Run(s_script, ["images", scratch.Path, "Compiled", "Plain", "Missing"]);
        Assert.Equal(1, refused.Status);
        Assert.Contains("Plain.dll has no machine code", refused.Errors, StringComparison.Ordinal);
        Assert.Contains("Missing.dll is missing", refused.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Cut_short_it_keeps_what_it_has_and_goes_on_from_there()
    {
        using var scratch = new ScratchFolder();
        Programs.Good(Check("--out", scratch.Path, "machine/versions"));
        string at = (string)Cases(scratch)[0]!["at"]!;

        // No time for anything: what is done is known, the rest is said not to have begun.
        var cut = Check("--out", scratch.Path, "--limit", "1");
        Assert.Equal(1, cut.Status);
        Assert.Contains("machine/versions: passed at " + at, cut.Output, StringComparison.Ordinal);
        Assert.Contains("golden/llama-small-fp32: not begun", cut.Output, StringComparison.Ordinal);
        Assert.Single(Cases(scratch));

        // A second call on a machine that kept nothing begins with what came back of the first.
        using var second = new ScratchFolder();
        Assert.Contains(
            "machine/versions: passed at " + at,
            Check("--out", second.Path, "--from", scratch.Path, "--limit", "1").Output,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "has no gpu_check.json",
            Programs.Refused(2, Check("--out", second.Path, "--from", scratch.File("nowhere"), "machine")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_case_that_takes_too_long_is_ended_and_said_to_be_out_of_time()
    {
        using var scratch = new ScratchFolder();
        var outcome = Check("--out", scratch.Path, "--limit", "6", "kernels/definitions-flash_attention");
        Assert.Equal(1, outcome.Status);
        Assert.True((string)Cases(scratch)[0]!["verdict"]! == "OutOfTime", outcome.Output + outcome.Errors);
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
