using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Cli.Tests;

/// <summary>Who plans: auto wherever there is a machine to plan for, within what the user fixed.</summary>
[Trait("Slow", "true")]
public class PolicyTests
{
    private const string Nano = "nano --seqlen 128 --device-memory 8MiB --host-memory 64MiB --global-batch 1024";

    private static JsonElement Json(string output) => JsonDocument.Parse(output.Split('\n')[0]).RootElement;

    private static string? Text(JsonElement plan, string key) => plan.GetProperty(key).GetString();

    [Fact]
    public void Plan_searches_for_the_machine_at_hand_or_the_one_that_is_named()
    {
        var own = Json(Programs.Good(Programs.Dataflow($"plan {Nano} --json")));
        Assert.Equal("auto", Text(own, "policy"));
        Assert.Equal(HardwareFiles.ThisMachine(DeviceKind.Cpu, named: null)!.Name, Text(own, "planned_for"));
        var named = Json(
            Programs.Good(
                Programs.Dataflow("plan nano --seqlen 128 --device-memory 2 --host-memory 2 --global-batch 1024 --hardware h200 --json")
            )
        );
        Assert.Equal(("auto", "h200-sxm"), (Text(named, "policy"), Text(named, "planned_for")));
        var simple = Json(Programs.Good(Programs.Dataflow($"plan {Nano} --policy simple --json")));
        Assert.Equal(("simple", null), (Text(simple, "policy"), Text(simple, "planned_for")));
        Assert.Contains("policy auto, the fastest found for ", Programs.Good(Programs.Dataflow($"plan {Nano}")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--policy simple")]
    public void What_plan_says_is_what_show_prints_verify_proves_and_train_runs(string policy)
    {
        string hash = Text(Json(Programs.Good(Programs.Dataflow($"plan {Nano} {policy} --json"))), "plan_hash")!;
        Assert.Contains($"hash {hash}", Programs.Good(Programs.Dataflow($"verify {Nano} {policy}")), StringComparison.Ordinal);
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch.File("schedule.txt"), Programs.Good(Programs.Dataflow($"show {Nano} {policy} --schedule")));
        Assert.Contains(
            $"hash {hash}",
            Programs.Good(Programs.Dataflow($"verify {scratch.File("schedule.txt")}")),
            StringComparison.Ordinal
        );
        Assert.Equal(
            hash,
            Text(Json(Programs.Good(Programs.Dataflow($"train {Nano} {policy} --data README.md --steps 1 --json"))), "plan_hash")
        );
    }

    [Theory]
    [InlineData("nano --seqlen 128 --device-memory 8MiB --host-memory 64MiB --data models/nano.json", 2)] // 263 bytes
    [InlineData("nano --seqlen 128 --device-memory 8MiB --host-memory 64MiB --data README.md --clip 0.5", 64)]
    [InlineData("tests/golden/llama-small --seqlen 64 --device-memory 4MiB --host-memory 64MiB --clip 1 --policy simple", 3)] // 195 tokens
    public void A_plan_is_that_of_training_on_the_same_data_with_the_same_clipping(string run, int rows)
    {
        var plan = Json(Programs.Good(Programs.Dataflow($"plan {run} --json")));
        Assert.Equal(Text(Json(Programs.Good(Programs.Dataflow($"train {run} --steps 1 --json"))), "plan_hash"), Text(plan, "plan_hash"));
        Assert.Equal(rows, plan.GetProperty("rows_per_step").GetInt32());
        Assert.Contains($"hash {Text(plan, "plan_hash")}", Programs.Good(Programs.Dataflow($"verify {run}")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "auto")]
    [InlineData("--policy auto", "auto")]
    [InlineData("--policy simple", "simple")]
    [InlineData("--device cuda-emulated --dtype fp32", "simple")] // its times say nothing about a machine
    public void Training_takes_auto_where_the_device_has_a_profile(string options, string policy)
    {
        string run = $"{options} --data README.md --global-batch 128 --steps 1 --json";
        Assert.Equal(policy, Text(Json(Programs.Good(Programs.Demo($"64MiB 8MiB 64 models/nano.json {run}"))), "policy"));
    }

    [Fact]
    public void The_plan_does_not_depend_on_the_number_of_cores()
    {
        const string request = "plan 1b --seqlen 4096 --hardware h100 --device-memory 6 --host-memory 24 --json --no-cache";
        string Hash(string cores) =>
            Text(
                Json(
                    Programs.Good(
                        Programs.Run(
                            Path.Combine(Programs.Root, "bin", "dataflow"),
                            request.Split(' '),
                            environment: new Dictionary<string, string?> { ["DOTNET_PROCESSOR_COUNT"] = cores }
                        )
                    )
                ),
                "plan_hash"
            )!;
        Assert.Equal(Hash("1"), Hash("5"));
    }

    [Fact]
    public void Simulate_takes_auto()
    {
        string policy(string options) =>
            Text(Json(Programs.Good(Programs.Dataflow($"simulate {Nano} --hardware cpu --json {options}"))), "policy")!;
        Assert.Equal(["auto", "auto", "simple"], new[] { "", "--policy auto", "--policy simple" }.Select(policy));
    }

    [Fact]
    public void Where_there_is_no_profile_the_simple_rules_plan()
    {
        var machine = HardwareFiles.Load("cpu");
        PlanPolicy Chosen(PlanPolicy? given, HardwareProfile? profile) => PolicySettings.Choose(given, profile, PlanCache.None).Policy;
        Assert.Equal(PlanPolicy.Simple, Chosen(null, null));
        Assert.Equal(PlanPolicy.Simple, Chosen(PlanPolicy.Simple, null));
        Assert.Equal(PlanPolicy.Simple, Chosen(PlanPolicy.Simple, machine));
        Assert.Equal(PlanPolicy.Auto, Chosen(null, machine));
        Assert.Contains(
            "dataflow calibrate",
            Assert.Throws<UserErrorException>(() => Chosen(PlanPolicy.Auto, null)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void What_is_pinned_holds_for_auto_too()
    {
        var plan = Json(
            Programs.Good(
                Programs.Dataflow(
                    $"plan {Nano} --policy auto --chunk 128 --chunks-per-round 4 --rounds 2 --vocabulary-blocks 2 --save-set residual "
                        + $"--json"
                )
            )
        );
        Assert.Equal(
            [128, 4, 2, 2, 1024],
            new[] { "chunk_tokens", "chunks_per_round", "rounds_per_step", "vocabulary_blocks", "tokens_per_step" }.Select(key =>
                plan.GetProperty(key).GetInt32()
            )
        );
        Assert.Equal("residual", Text(plan, "save_set"));
        Assert.Contains(
            "multiple of 2",
            Programs.Refused(2, Programs.Dataflow($"plan {Nano} --policy auto --chunk 64 --chunks-per-round 3")),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("plan nano --seqlen 64 --policy best", "'best' is no policy; choose auto or simple")]
    [InlineData("plan nano --seqlen 64 --policy reference", "'reference' is no policy; choose auto or simple")]
    [InlineData("train nano --seqlen 64 --data README.md --policy Auto", "'Auto' is no policy; choose auto or simple")]
    [InlineData("train nano --seqlen 64 --data README.md --policy auto --device cuda-emulated", "--policy simple")]
    [InlineData("verify nano --seqlen 64 --policy", "--policy")]
    public void A_policy_that_is_none_is_refused(string arguments, string part) =>
        Assert.Contains(part, Programs.Refused(2, Programs.Dataflow(arguments)), StringComparison.Ordinal);

    [Fact]
    public void The_demo_refuses_it_too() =>
        Assert.Contains(
            "'best' is no policy; choose auto or simple",
            Programs.Refused(2, Programs.Demo("1 1 64 nano --policy best")),
            StringComparison.Ordinal
        );
}
