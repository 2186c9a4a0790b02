using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>Adapters of a base that is stored as int8 or in four bits, as people ask for them.</summary>
public sealed class BaseWeightsTests
{
    private const string Step = "--seqlen 64 --global-batch 256 --device-memory 8MiB --host-memory 64MiB --device cpu";
    private const string Run = "train models/nano.json --data README.md --lr 3e-3 " + Step;

    [Theory]
    [InlineData("--base-weights nf4", "--base-weights nf4: a model that is trained as a whole has no base that stays as it is; give")]
    [InlineData("--lora-rank 4 --base-weights q4", "'q4' is none of what base weights are stored in; give bf16, int8, nf4, nf4-nested")]
    public void What_cannot_be_is_refused(string options, string why) =>
        Assert.Contains(why, Programs.Refused(2, Programs.Dataflow($"{Run} {options}")), StringComparison.Ordinal);

    [Fact]
    public void A_plan_says_what_the_base_is_stored_in_and_is_verified()
    {
        JsonElement Plan(string options) =>
            JsonDocument
                .Parse(Programs.Good(Programs.Dataflow($"plan models/nano.json {Step} --lora-rank 4 --dtype bf16-sr --json {options}")))
                .RootElement;
        var (whole, same, stored) = (Plan(""), Plan("--base-weights bf16"), Plan("--base-weights nf4"));
        Assert.Equal(JsonValueKind.Null, whole.GetProperty("base_weights").ValueKind);
        Assert.Equal(whole.GetProperty("plan_hash").GetString(), same.GetProperty("plan_hash").GetString());
        Assert.Equal("nf4", stored.GetProperty("base_weights").GetString());
        Assert.True(stored.GetProperty("model_state_bytes").GetInt64() < whole.GetProperty("model_state_bytes").GetInt64());
        Assert.Contains(
            "  base: matrices of layers in nf4-nested, ",
            Programs.Good(Programs.Dataflow($"plan models/nano.json {Step} --lora-rank 4 --base-weights nf4-nested")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "verified: no error",
            Programs.Good(Programs.Dataflow($"verify models/nano.json {Step} --lora-rank 8 --base-weights int8")),
            StringComparison.Ordinal
        );
        Assert.Contains("--base-weights TYPE", Programs.Good(Programs.Dataflow("train --help")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_least_memory_of_70b_in_four_bits_is_in_the_frontier_and_its_step_is_predicted()
    {
        const string options = "--seqlen 4096 --lora-rank 16 --base-weights nf4 --dtype bf16-sr --json";
        var row = JsonDocument.Parse(Programs.Good(Programs.Dataflow($"frontier 70b {options}"))).RootElement.GetProperty("frontier")[0];
        Assert.Equal("nf4", row.GetProperty("base_weights").GetString());

        // 4.5 bits of each of 68.5 billion numbers, 16 of 2.1 billion in embedding and head; adapter and activations are the rest.
        Assert.InRange(row.GetProperty("least_device").GetProperty("host_bytes").GetInt64(), 42_000_000_000, 72_000_000_000);
        var step = JsonDocument
            .Parse(Programs.Good(Programs.Dataflow($"simulate 70b --device-memory 23GiB --host-memory 64GiB --hardware rtx4090 {options}")))
            .RootElement;
        Assert.True(step.GetProperty("feasible").GetBoolean());
        Assert.Equal("nf4", step.GetProperty("base_weights").GetString());
    }

    [Fact]
    [Trait("Slow", "true")]
    public void A_run_goes_on_to_the_same_bits_and_its_merged_model_is_what_it_trained()
    {
        using var scratch = new ScratchFolder();
        string model = scratch.File("model");
        Programs.Good(Programs.Dataflow($"{Run} --steps 2 --export {model}"));
        string run = $"train {model} --data README.md --lr 3e-3 {Step} --steps 4 --lora-rank 4 --base-weights nf4-nested";
        run += " --checkpoint-every 2";
        string first = Programs.Good(Programs.Dataflow($"{run} --checkpoint {scratch.File("whole")} --export {scratch.File("adapter")}"));
        string kept = Path.GetFileName(Directory.GetFiles(model, "base-nf4-nested-*.blocks").Single());
        Assert.Contains($"are stored as nf4-nested once, and kept in {Path.Combine(model, kept)}", first, StringComparison.Ordinal);

        Directory.CreateDirectory(scratch.File("rest"));
        Directory.Move(scratch.File("whole/step-00000002"), scratch.File("rest/step-00000002"));
        string rest = Programs.Good(Programs.Dataflow($"train --resume {scratch.File("rest")}"));
        Assert.DoesNotContain("Changed: ", rest, StringComparison.Ordinal);
        Assert.DoesNotContain("once, and kept", rest, StringComparison.Ordinal);
        foreach (string file in new[] { "adapter_model.safetensors", "first_moments.safetensors", "second_moments.safetensors" })
        {
            Assert.Equal(
                File.ReadAllBytes(scratch.File("whole/step-00000004/" + file)),
                File.ReadAllBytes(scratch.File("rest/step-00000004/" + file))
            );
        }

        Assert.Contains(
            "trains an adapter with --base-weights nf4-nested, and this one is to do so with --base-weights nf4; give the same",
            Programs.Refused(2, Programs.Dataflow($"train --resume {scratch.File("rest")} --steps 6 --base-weights nf4")),
            StringComparison.Ordinal
        );

        // What the run trained, merged by what the run says and by what is said: the same, and not the base of the files.
        string adapter = scratch.File("adapter");
        Programs.Good(Programs.Dataflow($"export {scratch.File("whole")} --merge --out {scratch.File("merged")}"));
        string merge = $"export {model} --adapter {adapter} --merge";
        Programs.Good(Programs.Dataflow($"{merge} --base-weights nf4-nested --out {scratch.File("same")}"));
        Programs.Good(Programs.Dataflow($"{merge} --out {scratch.File("other")}"));
        byte[] Weights(string of) => File.ReadAllBytes(scratch.File($"{of}/model.safetensors"));
        Assert.Equal(Weights("merged"), Weights("same"));
        Assert.NotEqual(Weights("merged"), Weights("other"));
        Assert.Contains(
            "--base-weights nf4 is of models whose adapter is merged",
            Programs.Refused(2, Programs.Dataflow($"export {model} --adapter {adapter} --base-weights nf4 --out {scratch.File("none")}")),
            StringComparison.Ordinal
        );

        // Files in bf16 stay so in runs of fp32, where an adapter leaves them alone.
        Programs.Good(Programs.Dataflow($"export {model} --dtype BF16 --out {scratch.File("narrow")}"));
        string? Stored(string options) =>
            Last(Programs.Good(Programs.Dataflow($"plan {scratch.File("narrow")} {Step} --json {options}")))
                .GetProperty("base_weights")
                .GetString();
        Assert.Equal(("bf16", null), (Stored("--dtype fp32 --lora-rank 4"), Stored("--dtype bf16 --lora-rank 4")));
        Assert.Equal((null, "nf4"), (Stored("--dtype fp32"), Stored("--dtype fp32 --lora-rank 4 --base-weights nf4")));

        // Evaluated and continued as it was trained, and as a model of its own.
        const string within = "--seqlen 64 --device-memory 8MiB --host-memory 64MiB --device cpu --json";
        File.WriteAllBytes(scratch.File("tokens.bin"), [.. Enumerable.Range(0, 650).SelectMany(i => BitConverter.GetBytes(i * i % 251))]);
        double Loss(string options)
        {
            string all = Programs.Good(Programs.Dataflow($"eval {options} --tokens {scratch.File("tokens.bin")} {within}"));
            return Last(all).GetProperty("loss").GetDouble();
        }

        double of = Loss($"{model} --adapter {adapter} --base-weights nf4-nested");
        Assert.Equal(Loss(scratch.File("merged")), of, 1e-5);
        Assert.NotEqual(Loss($"{model} --adapter {adapter}"), of, 1e-5);
        Assert.NotEqual(Loss(model), Loss($"{model} --base-weights int8"), 1e-6);
        File.WriteAllText(scratch.File("ids.jsonl"), "{\"ids\": [84, 104, 101]}");
        string Text(string options) =>
            Last(Programs.Dataflow($"generate {options} --prompts {scratch.File("ids.jsonl")} --max-tokens 8 {within}").Output)
                .GetProperty("ids")
                .GetRawText();
        Assert.Equal(Text(scratch.File("merged")), Text($"{model} --adapter {adapter} --base-weights nf4-nested"));
    }

    private static JsonElement Last(string lines) =>
        JsonDocument.Parse(lines.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]).RootElement;
}
