using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow plan, show and verify.</summary>
[Trait("Slow", "true")]
public class PlanTests
{
    private const string Nano = "models/nano.json --seqlen 128 --device-memory 8MiB --host-memory 64MiB";

    private static JsonElement Json(string output) => JsonDocument.Parse(output).RootElement;

    [Fact]
    public void A_plan_says_what_it_takes()
    {
        string output = Programs.Good(Programs.Dataflow($"plan {Nano}"));
        Assert.All(
            [
                "1,000,576 parameters",
                "Step: 64 rows of 128 tokens",
                "of 8.00 MiB",
                "of 64.00 MiB",
                "keys and values",
                "Residency:",
                "Copies of a step:",
                "Recomputed in a step",
            ],
            part => Assert.Contains(part, output, StringComparison.Ordinal)
        );
    }

    [Fact]
    public void As_json_it_has_every_key_and_stays_within_the_budgets()
    {
        var plan = Json(Programs.Good(Programs.Dataflow($"plan {Nano} --global-batch 2048 --chunk 256 --json")));
        long Number(string key) => plan.GetProperty(key).GetInt64();
        Assert.True(plan.GetProperty("feasible").GetBoolean());
        Assert.Equal(JsonValueKind.Null, plan.GetProperty("reason").ValueKind);
        Assert.Equal(1000576, Number("parameters"));
        Assert.Equal(256, Number("chunk_tokens"));
        Assert.Equal(2048, Number("tokens_per_step"));
        Assert.True(Number("chunk_tokens") * Number("chunks_per_round") * Number("rounds_per_step") >= 2048);
        Assert.InRange(Number("device_peak_bytes"), 1, Number("device_budget_bytes"));
        Assert.InRange(Number("host_peak_bytes"), 1, Number("host_budget_bytes"));
        Assert.InRange(Number("smallest_device_bytes"), 1, Number("device_budget_bytes"));
        Assert.InRange(Number("smallest_host_bytes"), 1, Number("host_budget_bytes"));
        Assert.Equal(64, plan.GetProperty("plan_hash").GetString()!.Length);
        Assert.Contains(plan.GetProperty("save_set").GetString(), Dataflow.Model.SaveSets.Names);
    }

    [Fact]
    public void The_vocabulary_can_be_cut_into_blocks_and_every_report_says_so()
    {
        Assert.Equal(
            2,
            Json(Programs.Good(Programs.Dataflow($"plan {Nano} --vocabulary-blocks 2 --json"))).GetProperty("vocabulary_blocks").GetInt32()
        );
        Assert.Equal(1, Json(Programs.Good(Programs.Dataflow($"plan {Nano} --json"))).GetProperty("vocabulary_blocks").GetInt32());
        Assert.Contains(
            "the vocabulary in 2 blocks of 128 rows",
            Programs.Good(Programs.Dataflow($"plan {Nano} --vocabulary-blocks 2")),
            StringComparison.Ordinal
        );
        string schedule = Programs.Good(Programs.Dataflow($"show {Nano} --vocabulary-blocks 2 --schedule"));
        Assert.Contains("fact vocabulary_blocks 2\n", schedule, StringComparison.Ordinal);
        Assert.Contains(" HeadBackward B1 C0 R0 ", schedule, StringComparison.Ordinal);
        Assert.Contains("give 2", Programs.Refused(2, Programs.Dataflow($"plan {Nano} --vocabulary-blocks 3")), StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_fit_ends_with_3_and_the_smallest_that_does_is_true()
    {
        const string request = "plan models/nano.json --seqlen 128 --chunk 128 --global-batch 1024 --json --host-memory 64MiB";
        var outcome = Programs.Dataflow($"{request} --device-memory 1MiB");
        Assert.Contains("give at least", Programs.Refused(3, outcome), StringComparison.Ordinal);
        var answer = Json(outcome.Output);
        Assert.False(answer.GetProperty("feasible").GetBoolean());
        Assert.NotEqual("", answer.GetProperty("reason").GetString());
        Assert.Equal(JsonValueKind.Null, answer.GetProperty("plan_hash").ValueKind);
        long smallest = answer.GetProperty("smallest_device_bytes").GetInt64();
        Programs.Good(Programs.Dataflow($"{request} --device-memory {smallest}B"));
        Programs.Refused(3, Programs.Dataflow($"{request} --device-memory {smallest - (1 << 17)}B"));
    }

    [Fact]
    public void Training_and_verifying_and_showing_what_does_not_fit_end_with_3()
    {
        const string request = "models/nano.json --seqlen 128 --chunk 128 --global-batch 1024 --host-memory 64MiB --device-memory 1MiB";
        Programs.Refused(3, Programs.Dataflow($"train {request} --data README.md"));
        Programs.Refused(3, Programs.Dataflow($"verify {request}"));
        Programs.Refused(3, Programs.Dataflow($"show {request}"));
    }

    [Fact]
    public void A_large_model_is_known_by_its_name_from_any_folder()
    {
        using var scratch = new ScratchFolder();
        var plan = Programs.Good(
            Programs.DataflowProcess("plan 8b --seqlen 4096 --device-memory 24GiB --host-memory 200GiB --dtype bf16", scratch.Path)
        );
        Assert.Contains("Model 8b: 8,030,261,248 parameters", plan, StringComparison.Ordinal);
    }

    [Fact]
    public void Show_prints_a_schedule_that_verify_proves_and_a_damaged_one_that_it_refuses()
    {
        using var scratch = new ScratchFolder();
        string text = Programs.Good(Programs.Dataflow($"show {Nano} --schedule"));
        File.WriteAllText(scratch.File("schedule.txt"), text);
        string proof = Programs.Good(Programs.Dataflow($"verify {scratch.File("schedule.txt")} --device-memory 8MiB --host-memory 64MiB"));
        Assert.Contains("verified: no error", proof, StringComparison.Ordinal);
        Assert.Contains(
            $"hash {Json(Programs.Good(Programs.Dataflow($"plan {Nano} --json"))).GetProperty("plan_hash").GetString()}",
            proof,
            StringComparison.Ordinal
        );
        Assert.Contains(proof.Split('\n')[0], Programs.Good(Programs.Dataflow($"verify {Nano}")), StringComparison.Ordinal);

        var small = Programs.Dataflow($"verify {scratch.File("schedule.txt")} --device-memory 1MiB");
        Assert.Equal(1, small.Status);
        Assert.Contains("[budget] arena device takes", small.Output, StringComparison.Ordinal);

        int wait = text.LastIndexOf(" after ", StringComparison.Ordinal);
        File.WriteAllText(scratch.File("schedule.txt"), text[..wait] + text[text.IndexOf('\n', wait)..]);
        var missing = Programs.Dataflow($"verify {scratch.File("schedule.txt")}");
        Assert.Equal(1, missing.Status);
        Assert.Contains("[hazard]", missing.Output, StringComparison.Ordinal);

        File.WriteAllText(scratch.File("schedule.txt"), "schedule 1\nnonsense\n");
        Programs.Refused(2, Programs.Dataflow($"verify {scratch.File("schedule.txt")}"));
    }

    [Fact]
    public void Show_prints_the_parts_and_slices_that_are_asked_for()
    {
        string all = Programs.Good(Programs.Dataflow($"show {Nano}"));
        Assert.All(["Sizing: device", "pool", "Residency:", "op 0 ", "20 of "], part =>
            Assert.Contains(part, all, StringComparison.Ordinal)
        );
        string slice = Programs.Good(
            Programs.Dataflow($"show {Nano} --chunk 128 --chunks-per-round 4 --layer 2 --chunk-index 1 --ops 0..400")
        );
        var ops = slice.Split('\n').Where(l => l.StartsWith("op ", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(ops);
        Assert.All(ops, o => Assert.Contains(" L02 C1 ", o, StringComparison.Ordinal));
        Assert.Contains("Memory of the device", Programs.Good(Programs.Dataflow($"show {Nano} --memory")), StringComparison.Ordinal);
        Assert.DoesNotContain("op 0 ", Programs.Good(Programs.Dataflow($"show {Nano} --sizing --residency")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("plan")]
    [InlineData("show")]
    [InlineData("verify")]
    [InlineData("train")]
    [InlineData("gradients")]
    public void Help_has_an_example(string verb) =>
        Assert.Contains("Example", Programs.Good(Programs.Dataflow($"{verb} --help")), StringComparison.Ordinal);

    [Fact]
    public void The_demo_has_help_with_an_example() =>
        Assert.Contains("Example", Programs.Good(Programs.Demo("--help")), StringComparison.Ordinal);
}
