using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Cli.Tests;

/// <summary>Which recipe runs where none is named, and what is said of it.</summary>
[Trait("Slow", "true")]
public class RecipeTests
{
    private const string OnH100 = "plan 1b --seqlen 4k --hardware h100 --policy simple --global-batch 16k --json";

    private static JsonElement Json(string arguments) => JsonDocument.Parse(Programs.Good(Programs.Dataflow(arguments))).RootElement;

    [Theory]
    [InlineData("--device-memory 40 --host-memory 64", true)]
    [InlineData("--device-memory 4 --host-memory 12", false)]
    public void On_a_GPU_it_is_bf16_sr_whatever_the_budgets_and_it_says_whether_bf16_master_would_fit(string budgets, bool master)
    {
        var plan = Json($"{OnH100} {budgets}");
        Assert.Equal("bf16-sr", plan.GetProperty("dtype").GetString());
        Assert.Equal(master, plan.GetProperty("bf16_master_fits").GetBoolean());
        Assert.Equal(master ? 1 : 0, plan.GetProperty("notes").GetArrayLength());
        Assert.Equal(master ? 0 : 3, Programs.Dataflow($"{OnH100} {budgets} --dtype bf16-master").Status);
    }

    [Fact]
    public void Text_has_the_notes_once_and_plain_bf16_says_what_it_costs()
    {
        static int Count(string text, string part) => text.Split(part).Length - 1;
        string stochastic = Programs.Good(
            Programs.Dataflow($"{OnH100.Replace(" --json", "", StringComparison.Ordinal)} --device-memory 40 --host-memory 64")
        );
        Assert.Equal(1, Count(stochastic, "--dtype bf16-master"));
        string train = Programs.Good(
            Programs.Dataflow(
                "train nano --seqlen 64 --device-memory 8MiB --host-memory 64MiB --data README.md --global-batch 128 --steps 2 --dtype bf16"
            )
        );
        Assert.Equal(1, Count(train, "it loses updates that are smaller than half a step of a bf16 weight"));
        Assert.DoesNotContain(
            "note:",
            Programs.Good(Programs.Dataflow("plan nano --seqlen 64 --device-memory 8MiB --host-memory 64MiB")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_device_decides_too_and_the_published_system_has_its_own()
    {
        PlanOptions Settings(DeviceKind kind, HardwareProfile? hardware) =>
            new() { Model = "nano", Seqlen = 64, Hardware = hardware, Device = new DeviceOptions(kind, 1, null) };
        Assert.Equal(Recipe.Fp32, Settings(DeviceKind.Cpu, null).Recipe);
        Assert.Equal(Recipe.Bf16Stochastic, Settings(DeviceKind.CudaEmulated, null).Recipe);
        Assert.Equal(Recipe.Bf16Stochastic, Settings(DeviceKind.Cpu, HardwareFiles.Load("h100")).Recipe);
        var reader = new SimulationRequestReader();
        Recipe Of(string policy) =>
            reader
                .Read($$"""{"model":"1b","seqlen":4096,"device_memory":24,"host_memory":64,"hardware":"h100","policy":"{{policy}}"}""")
                .ChosenRecipe;
        Assert.Equal((Recipe.Bf16Stochastic, Recipe.Bf16Stochastic, Recipe.Bf16), (Of("auto"), Of("simple"), Of("reference")));
    }

    /// <summary>The benchmark's recipe is named by what compares itself with the benchmark.</summary>
    [Theory]
    [InlineData("bench/sweeps/published.json")]
    [InlineData("bench/sweeps/predictions.json")]
    public void Tables_that_stand_beside_the_published_ones_name_bf16(string config) =>
        Assert.All(SweepConfig.ReadAll(Path.Combine(Programs.Root, config)), e => Assert.Equal(Recipe.Bf16, e.Recipe));

    /// <summary>One step at a fine-tuning's learning rate: how many weights are other ones afterwards.</summary>
    [Fact]
    public void Plain_bf16_loses_the_updates_that_bf16_sr_keeps_on_average()
    {
        using var scratch = new ScratchFolder();
        var golden = new GoldenFolder("llama-small");
        var before = GoldenFolder.Tensors(golden.FileOf("model.safetensors"));
        double Moved(string recipe)
        {
            string folder = scratch.File(recipe);
            Programs.Good(
                Programs.Dataflow(
                    $"train {golden.Path} --seqlen {golden.Seqlen} --device-memory 64MiB --host-memory 64MiB --steps 1 --lr 1e-6 --dtype "
                        + $"{recipe} --export {folder}"
                )
            );
            var after = GoldenFolder.Tensors(Path.Combine(folder, "model.safetensors"));
            return before.Sum(t => t.Value.Zip(after[t.Key]).Count(p => p.First != p.Second)) / (double)before.Sum(t => t.Value.Length);
        }

        var (plain, stochastic, exact) = (Moved("bf16"), Moved("bf16-sr"), Moved("fp32"));
        Assert.True(
            plain < 0.02 && stochastic > plain && exact > 0.8,
            $"of the weights move {plain:0.00%} in bf16, {stochastic:0.00%} in bf16-sr, {exact:0.00%} in fp32"
        );
    }
}
