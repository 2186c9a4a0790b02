using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>Tensors that training leaves as they are, as people ask for them.</summary>
public sealed class FreezeTests
{
    private const string Step = "--seqlen 64 --global-batch 256 --device-memory 8MiB --host-memory 64MiB --device cpu";
    private const string Run = "train models/nano.json --data README.md --lr 3e-3 " + Step;
    private const string Lower = "model.embed_tokens.*|model.layers.[0-1].*";

    [Theory]
    [InlineData("*q_proj*", "--freeze: model.layers.0.self_attn.q_proj.weight would be frozen and model.layers.0.self_attn.k_proj.weight")]
    [InlineData("*", "nothing of nano would be trained; freeze less")]
    [InlineData("model.layers.[9-].*", "no tensor of nano is called 'model.layers.[9-].*'; the nearest are model.layers.")]
    [InlineData("layers.[x]", "--freeze: 'layers.[x]': [x] is no range of numbers; give one such as [0-15], [24-] or [3]")]
    [InlineData("model.layers.* --group *.mlp.*:factor=2", "--group *.mlp.*:factor=2: all that it means is frozen; leave it out")]
    public void What_cannot_be_is_refused(string options, string why) =>
        Assert.Contains(why, Programs.Refused(2, Programs.Dataflow($"{Run} --freeze {options}")), StringComparison.Ordinal);

    [Fact]
    public void A_plan_says_what_is_frozen_and_is_another_one()
    {
        JsonElement Plan(string options) =>
            JsonDocument.Parse(Programs.Good(Programs.Dataflow($"plan models/nano.json {Step} --json {options}"))).RootElement;
        var (all, some) = (Plan(""), Plan($"--freeze {Lower}"));
        Assert.Equal(Lower, some.GetProperty("frozen").GetString());
        Assert.NotEqual(all.GetProperty("plan_hash").GetString(), some.GetProperty("plan_hash").GetString());
        Assert.True(some.GetProperty("model_state_bytes").GetInt64() < all.GetProperty("model_state_bytes").GetInt64());

        // The same in two patterns.
        string said = Programs.Good(
            Programs.Dataflow($"plan models/nano.json {Step} --freeze model.embed_tokens.* --freeze model.layers.[0-1].*")
        );
        Assert.Contains($"  frozen: {Lower}; no backward passes the first 2 layers\n", said, StringComparison.Ordinal);
        Assert.Contains(some.GetProperty("plan_hash").GetString()![..16], said, StringComparison.Ordinal);
        Assert.Contains(
            "verified: no error",
            Programs.Good(Programs.Dataflow($"verify models/nano.json {Step} --freeze {Lower}")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_least_memory_with_frozen_layers_is_in_the_frontier()
    {
        JsonElement Frontier(string options) =>
            JsonDocument
                .Parse(Programs.Good(Programs.Dataflow($"frontier 8b --seqlen 8192 --dtype bf16-sr --json {options}")))
                .RootElement.GetProperty("frontier")[0];
        var (all, some) = (Frontier(""), Frontier("--freeze model.embed_tokens.*|model.layers.[0-23].*"));

        // On the host 2 bytes of each parameter and 4 of the state of what is trained; activations and streams are a little more.
        const long layer = (2L * 4096) + (2L * 4096 * 4096) + (2L * 4096 * 1024) + (3L * 4096 * 14336), table = 128256L * 4096;
        const long expected = (2 * ((32 * layer) + (2 * table))) + (4 * ((8 * layer) + table));
        Assert.Equal((32 * layer) + (2 * table) + 4096, some.GetProperty("parameters").GetInt64());
        long host = some.GetProperty("least_device").GetProperty("host_bytes").GetInt64();
        Assert.InRange(host, expected, expected + (2L << 30));
        Assert.True(host < 0.6 * all.GetProperty("least_device").GetProperty("host_bytes").GetInt64());
    }

    [Fact]
    [Trait("Slow", "true")]
    public void A_run_that_goes_on_freezes_the_same()
    {
        using var scratch = new ScratchFolder();
        string run = $"{Run} --steps 4 --freeze {Lower} --checkpoint-every 2";
        Programs.Good(Programs.Dataflow($"{run} --checkpoint {scratch.File("whole")} --export {scratch.File("model")}"));
        Directory.CreateDirectory(scratch.File("rest"));
        Directory.Move(scratch.File("whole/step-00000002"), scratch.File("rest/step-00000002"));
        string rest = Programs.Good(Programs.Dataflow($"train --resume {scratch.File("rest")}"));
        Assert.DoesNotContain("Changed: ", rest, StringComparison.Ordinal);
        Assert.Contains($"frozen: {Lower}", rest, StringComparison.Ordinal);
        foreach (string file in new[] { "model.safetensors", "first_moments.safetensors", "second_moments.safetensors" })
        {
            Assert.Equal(
                File.ReadAllBytes(scratch.File("whole/step-00000004/" + file)),
                File.ReadAllBytes(scratch.File("rest/step-00000004/" + file))
            );
        }

        Assert.Contains(
            $"freezes {Lower}, and this one would freeze model.embed_tokens.*: what was frozen has no optimizer state",
            Programs.Refused(2, Programs.Dataflow($"train --resume {scratch.File("rest")} --steps 6 --freeze model.embed_tokens.*")),
            StringComparison.Ordinal
        );

        // A new run may train what was frozen.
        string next = Programs.Good(
            Programs.Dataflow($"train {scratch.File("model")} --data README.md --lr 3e-3 --steps 2 {Step}")
        );
        Assert.DoesNotContain("frozen:", next, StringComparison.Ordinal);
    }
}
