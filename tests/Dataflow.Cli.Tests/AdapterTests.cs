using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>Adapters, as people ask for them.</summary>
public sealed class AdapterTests
{
    private const string Step = "--seqlen 64 --global-batch 256 --device-memory 8MiB --host-memory 64MiB --device cpu";
    private const string Run = "train models/nano.json --data README.md --lr 3e-3 " + Step;

    [Theory]
    [InlineData("--lora-targets foo", "the adapter's targets, foo, are no modules of nano; those of a layer are model.layers.0.self")]
    [InlineData("--lora-rank 0", "--lora-rank: 0 is too small")]
    [InlineData("--lora-rank 4 --freeze model.embed_tokens.*", "an adapter freezes all of the model; leave out one of the two")]
    [InlineData("--lora-rank 4 --adapter x", "--adapter says what the adapter is of, and so does --lora-rank; leave out one of the two")]
    [InlineData("--adapter src", "src is not an adapter: the folder holds no adapter_config.json")]
    [InlineData("--lora-rank-pattern q_proj", "'q_proj' will not do; give a pattern and a number")]
    [InlineData("--lora-rank 4 --group *.mlp.*_proj.weight:factor=2", "all that it means is frozen; leave it out")]
    public void What_cannot_be_is_refused(string options, string why) =>
        Assert.Contains(why, Programs.Refused(2, Programs.Dataflow($"{Run} {options}")), StringComparison.Ordinal);

    [Fact]
    public void A_plan_says_what_the_adapter_is_of_and_is_verified()
    {
        JsonElement Plan(string options) =>
            JsonDocument.Parse(Programs.Good(Programs.Dataflow($"plan models/nano.json {Step} --json {options}"))).RootElement;
        var (all, some) = (Plan(""), Plan("--lora-rank 4 --lora-targets q_proj,v_proj"));
        Assert.Equal("""{"r":4,"lora_alpha":4,"target_modules":["q_proj","v_proj"]}""", some.GetProperty("adapter").GetString());
        Assert.NotEqual(all.GetProperty("plan_hash").GetString(), some.GetProperty("plan_hash").GetString());
        Assert.True(3 * some.GetProperty("model_state_bytes").GetInt64() < all.GetProperty("model_state_bytes").GetInt64());
        Assert.Contains(
            "verified: no error",
            Programs.Good(Programs.Dataflow($"verify models/nano.json {Step} --lora-rank 8 --lora-exclude down_proj")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_least_memory_of_an_adapter_is_in_the_frontier()
    {
        JsonElement Frontier(string options) =>
            JsonDocument
                .Parse(Programs.Good(Programs.Dataflow($"frontier 8b --seqlen 4096 --dtype bf16-sr --json {options}")))
                .RootElement.GetProperty("frontier")[0]
                .GetProperty("least_device");
        long all = Frontier("").GetProperty("host_bytes").GetInt64();
        long some = Frontier("--lora-rank 16").GetProperty("host_bytes").GetInt64();

        // Two bytes of each of 8.03 billion parameters, the adapter's 42 million with state; activations of a step are the rest.
        Assert.InRange(some, 16_060_000_000, 23_000_000_000);
        Assert.True(some < 0.45 * all, $"{some} of {all}");
    }

    [Fact]
    [Trait("Slow", "true")]
    public void A_run_goes_on_to_the_same_bits_and_is_exported_and_merged()
    {
        using var scratch = new ScratchFolder();
        string run = $"{Run} --steps 4 --lora-rank 4 --lora-save input_layernorm --checkpoint-every 2";
        Programs.Good(Programs.Dataflow($"{run} --checkpoint {scratch.File("whole")} --export {scratch.File("adapter")}"));
        Directory.CreateDirectory(scratch.File("rest"));
        Directory.Move(scratch.File("whole/step-00000002"), scratch.File("rest/step-00000002"));
        string rest = Programs.Good(Programs.Dataflow($"train --resume {scratch.File("rest")}"));
        Assert.DoesNotContain("Changed: ", rest, StringComparison.Ordinal);
        string[] files = ["adapter_model.safetensors", "first_moments.safetensors", "second_moments.safetensors"];
        Assert.Equal(
            [.. files, "adapter_config.json", "config.json", "state.json"],
            Directory
                .GetFiles(scratch.File("rest/step-00000004"))
                .Select(Path.GetFileName)
                .Order()
                .OrderBy(f => Array.IndexOf(files, f) < 0)
        );
        foreach (string file in files)
        {
            Assert.Equal(
                File.ReadAllBytes(scratch.File("whole/step-00000004/" + file)),
                File.ReadAllBytes(scratch.File("rest/step-00000004/" + file))
            );
        }

        Assert.Contains(
            "trains the adapter {\"r\":4",
            Programs.Refused(2, Programs.Dataflow($"train --resume {scratch.File("rest")} --steps 6 --lora-rank 8")),
            StringComparison.Ordinal
        );

        // The same adapter from the run, from its export, and from a run that went on with it.
        Programs.Good(Programs.Dataflow($"export {scratch.File("whole")} --out {scratch.File("exported")}"));
        Assert.Equal(
            File.ReadAllBytes(scratch.File("adapter/adapter_model.safetensors")),
            File.ReadAllBytes(scratch.File("exported/adapter_model.safetensors"))
        );
        string refused = Programs.Refused(2, Programs.Dataflow($"export {scratch.File("whole")} --out x.gguf"));
        Assert.Contains("has an adapter", refused, StringComparison.Ordinal);
        Programs.Good(Programs.Dataflow($"export {scratch.File("whole")} --merge --out {scratch.File("merged")}"));
        string more = $"--data README.md --steps 1 {Step}";
        string with = Programs.Good(Programs.Dataflow($"train models/nano.json --adapter {scratch.File("adapter")} {more}"));
        string merged = Programs.Good(Programs.Dataflow($"train {scratch.File("merged")} {more}"));
        Assert.Equal(Loss(merged), Loss(with));
        Assert.NotEqual(Loss(with), Loss(Programs.Good(Programs.Dataflow($"train models/nano.json --lora-rank 4 {more}"))));
    }

    private static string Loss(string output) =>
        output
            .Split('\n')
            .First(l => l.StartsWith("step 1/1", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[3];
}
