using System.Text.Json.Nodes;

namespace Dataflow.Cli.Tests;

/// <summary>The losses of routers as choices of the run.</summary>
public sealed class RouterBalanceTests
{
    private const string Step = "--seqlen 64 --global-batch 256 --device-memory 8MiB --host-memory 64MiB --device cpu";

    private const string Shipped =
        "granite-3.1-3b-a800m --seqlen 512 --global-batch 1024 --device-memory 16GiB --host-memory 64GiB --dtype bf16 --device cpu";

    [Theory]
    [InlineData("models/nano.json", "0.01", "--router-balance: nano has no experts whose load could be balanced; leave it out")]
    [InlineData("qwen3-30b-a3b", "-1", "'-1' will not do; give a number of at least 0, as 0.001")]
    [InlineData("glm-4.5-air", "0.01", "those of glm-4.5-air are scored by logistic functions; leave it out")]
    public void What_cannot_be_is_refused(string model, string weight, string why) =>
        Assert.Contains(
            why, Programs.Refused(2, Programs.Dataflow($"plan {model} {Step} --router-balance={weight}")), StringComparison.Ordinal);

    [Fact]
    public void A_plan_says_it_and_its_schedule_is_of_it()
    {
        using var scratch = new ScratchFolder();
        string model = Mixture(scratch);
        Assert.Contains(
            "the load-balancing loss of experts counts 0.02",
            Programs.Good(Programs.Dataflow($"plan {model} {Step} --router-balance 0.02")), StringComparison.Ordinal);
        Assert.DoesNotContain("load-balancing", Programs.Good(Programs.Dataflow($"plan {model} {Step}")), StringComparison.Ordinal);
        string verified = Programs.Good(Programs.Dataflow($"verify {model} {Step} --router-balance 0.02"));
        Assert.Contains("verified: no error", verified, StringComparison.Ordinal);
        string schedule = Programs.Good(Programs.Dataflow($"show {Shipped} --router-balance 0.02 --schedule"));
        Assert.Contains("router_balance 0.02", schedule, StringComparison.Ordinal);
        File.WriteAllText(scratch.File("step.txt"), schedule);
        Assert.Contains(
            "no error", Programs.Good(Programs.Dataflow($"verify {scratch.File("step.txt")}")), StringComparison.Ordinal);
    }

    /// <summary>The first step's loss differs by the loss's share, and not where it counts nothing.</summary>
    [Fact]
    public void A_run_has_it_in_its_loss_and_goes_on_with_it_to_the_same_bits()
    {
        using var scratch = new ScratchFolder();
        string run = $"train {Mixture(scratch)} --data README.md --lr 3e-3 {Step} --steps 4";
        string saves = $"--checkpoint-every 2 --checkpoint {scratch.File("whole")}";
        string with = Programs.Good(Programs.Dataflow($"{run} --router-balance 0.5 {saves}"));
        string without = Programs.Good(Programs.Dataflow(run));

        // Perfect balance gives as many as a token has experts.
        Assert.InRange(Loss(with) - Loss(without), 0.98, 1.3);
        Assert.Equal(Loss(without), Loss(Programs.Good(Programs.Dataflow($"{run} --router-balance 0"))));
        Directory.CreateDirectory(scratch.File("rest"));
        Directory.Move(scratch.File("whole/step-00000002"), scratch.File("rest/step-00000002"));
        Programs.Good(Programs.Dataflow($"train --resume {scratch.File("rest")}"));
        foreach (string file in new[] { "model.safetensors", "first_moments.safetensors", "second_moments.safetensors" })
        {
            Assert.Equal(
                File.ReadAllBytes(scratch.File("whole/step-00000004/" + file)),
                File.ReadAllBytes(scratch.File("rest/step-00000004/" + file)));
        }
    }

    [Theory]
    [InlineData("models/nano.json", "0.01", "--router-z-loss: nano has no router whose logits could be kept small; leave it out")]
    [InlineData("qwen3-30b-a3b", "-1", "'-1' will not do; give a number of at least 0, as 0.001")]
    public void A_z_loss_that_cannot_be_is_refused(string model, string weight, string why) =>
        Assert.Contains(
            why, Programs.Refused(2, Programs.Dataflow($"plan {model} {Step} --router-z-loss={weight}")), StringComparison.Ordinal);

    /// <summary>At the start the logits of the routers of four layers are about 0: the logsumexp of four is ln 4.</summary>
    [Fact]
    public void A_router_z_loss_is_said_counted_and_saved()
    {
        using var scratch = new ScratchFolder();
        string model = Mixture(scratch);
        Assert.Contains(
            "the router z-loss counts 0.25", Programs.Good(Programs.Dataflow($"plan {model} {Step} --router-z-loss 0.25")),
            StringComparison.Ordinal);
        string schedule = Programs.Good(Programs.Dataflow($"show {Shipped} --router-z-loss 0.25 --schedule"));
        Assert.Contains("router_z_loss 0.25", schedule, StringComparison.Ordinal);
        File.WriteAllText(scratch.File("step.txt"), schedule);
        Assert.Contains("no error", Programs.Good(Programs.Dataflow($"verify {scratch.File("step.txt")}")), StringComparison.Ordinal);
        string run = $"train {model} --data README.md --lr 3e-3 {Step} --steps 4";
        string saves = $"--checkpoint-every 2 --checkpoint {scratch.File("whole")}";
        double with = Loss(Programs.Good(Programs.Dataflow($"{run} --router-z-loss 0.25 {saves}")));
        double without = Loss(Programs.Good(Programs.Dataflow(run)));
        Assert.InRange((with - without) / 4, 0.25 * 1.3 * 1.3, 0.25 * 1.6 * 1.6);
        Directory.CreateDirectory(scratch.File("rest"));
        Directory.Move(scratch.File("whole/step-00000002"), scratch.File("rest/step-00000002"));
        Programs.Good(Programs.Dataflow($"train --resume {scratch.File("rest")}"));
        Assert.Equal(
            File.ReadAllBytes(scratch.File("whole/step-00000004/model.safetensors")),
            File.ReadAllBytes(scratch.File("rest/step-00000004/model.safetensors")));
    }

    private static string Mixture(ScratchFolder scratch)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Programs.Root, "models", "nano.json")))!.AsObject();
        config["name"] = "mixture";
        config["ffn_dim"] = 64;
        config["layers"] = JsonNode.Parse(
            """[{"ffn_dim": 0, "experts": {"count": 4, "per_token": 2, "dim": 64, "normalised": true}}]""");
        File.WriteAllText(scratch.File("mixture.json"), config.ToJsonString());
        return scratch.File("mixture.json");
    }

    private static double Loss(string output) =>
        double.Parse(
            output
                .Split('\n')
                .First(l => l.StartsWith("step 1/4", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[3],
            System.Globalization.CultureInfo.InvariantCulture);
}
