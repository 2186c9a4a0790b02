using System.Globalization;
using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>Recipes: sound files, figures that are the planner's own, and runs.</summary>
[Trait("Slow", "true")]
public sealed class TrainingRecipeTests : IDisposable
{
    private readonly ScratchFolder scratch = new();

    public static TheoryData<string> Names => [.. Directory.GetFiles(Path.Combine(Programs.Root, "recipes"), "*.yaml")
        .Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];

    public void Dispose() => scratch.Dispose();

    [Fact]
    public void There_are_twelve_and_the_page_has_their_figures()
    {
        var all = TrainingRecipe.All();
        Assert.Equal(12, all.Count);
        string page = File.ReadAllText(Path.Combine(Programs.Root, "recipes", "README.md"));
        foreach (var recipe in all)
        {
            Assert.Equal(3, recipe.Machines.Count);
            Assert.NotEmpty(recipe.Needs);
            Assert.Contains(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| `{recipe.Name}` | {recipe.Title} | {string.Join(" | ", recipe.Machines.Select(Said))} |\n"),
                page,
                StringComparison.Ordinal);
        }
    }

    /// <summary>Planned on the machines that it names. Where the planner has another answer: `make recipes`.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Its_figures_are_what_the_planner_says(string name)
    {
        var recipe = TrainingRecipe.Named(name);
        Assert.Equal(recipe.Machines, RecipePlans.Of(recipe));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Its_settings_are_options_of_train(string name)
    {
        var recipe = TrainingRecipe.Named(name);
        var given = TrainVerb.Command().Parse([recipe.File.Path, "--data", "x"]);
        var read = RunFileCommandLine.Complete(recipe.File, given);
        Assert.Empty(read.Errors);
        var options = RunFileCommandLine.Settings(TrainVerb.Command()).Select(o => o.Name[2..]).ToList();
        Assert.All(recipe.Needs.Keys, need => Assert.Contains(need, options));
        string shown = Programs.Good(Programs.Dataflow($"recipe show {name}"));
        Assert.All(recipe.Machines, m => Assert.Contains($"{m.Figures!.TokensPerSecond:N0} ", shown, StringComparison.Ordinal));
        Assert.Contains(recipe.Title, Programs.Good(Programs.Dataflow("recipe list")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("chat-4b", "turns.jsonl", "validate-every=1")]
    [InlineData("dpo-8b", "pairs.jsonl", "validate-every=1")]
    [InlineData("pretrain-1b", "a.txt", "validate-every=1 validation-split=10% documents=line")]
    public void It_runs_small_on_the_cpu(string name, string data, string more)
    {
        Prepare();
        string small = $"model={F("model.json")} tokenizer={F("tok")} data={F(data)} seqlen=64 global-batch=256 steps=3 lr=1e-3 device=cpu "
            + $"dtype=fp32 device-memory=16MiB host-memory=64MiB policy=simple checkpoint={F(name)} checkpoint-every=2 {more}";
        string said = Programs.Good(Programs.Dataflow($"recipe run {name} {small}"));
        Assert.Contains("step 3/3  loss ", said, StringComparison.Ordinal);
        Assert.Contains("validation ", said, StringComparison.Ordinal);
        var saved = RunFile.Read(F($"{name}/run.yaml"));
        Assert.Equal(F("model.json"), saved.TextOf("model"));
        Assert.Equal("cosine", saved.TextOf("schedule"));
    }

    [Theory]
    [InlineData("recipe run lora-8b", "recipe lora-8b needs data: conversations as JSON lines")]
    [InlineData("recipe run lora8b data=x", "there is no recipe lora8b; did you mean lora-8b?")]
    [InlineData("recipe run lora-8b data", "'data' is no key=value")]
    [InlineData("recipe run lora-8b data=x stepz=3", "stepz is no option of train; did you mean --steps?")]
    [InlineData("recipe run lora-8b data=x steps=x", "--steps: 'x' is no whole number")]
    [InlineData("train nano --model micro --seqlen 64", "--model is for run files; name the model itself")]
    public void What_cannot_run_is_refused(string line, string part) =>
        Assert.Contains(part, Programs.Refused(2, Programs.Dataflow(line)), StringComparison.Ordinal);

    private static string Said(RecipeMachine machine) => string.Create(
        CultureInfo.InvariantCulture,
        $"{machine.Hardware}, {machine.Device} + {machine.Host}: {machine.Figures!.TokensPerSecond:N0} tok/s, ")
        + machine.Figures.Hours.ToString("N1", CultureInfo.InvariantCulture) + " h";

    private void Prepare()
    {
        File.WriteAllLines(F("a.txt"), Enumerable.Range(0, 300).Select(i => $"Line {i} says that {i * 7} is a number. Who could know it?"));
        Write("pairs.jsonl", i => new { prompt = $"What is {i}?", chosen = $" {i} is a number.", rejected = " Who could know it?" });
        Write("turns.jsonl", i => new
        {
            messages = new[] { new { role = "user", content = $"{i}?" }, new { role = "assistant", content = "A number." } },
        });
        File.WriteAllText(F("model.json"), File.ReadAllText(Path.Combine(Programs.Root, "models", "nano.json"))
            .Replace("\"vocab_size\": 256", "\"vocab_size\": 400", StringComparison.Ordinal));
        Directory.CreateDirectory(F("tok"));
        Programs.Good(Programs.Dataflow(
            $"tokenizer train {F("tok")} --text {F("a.txt")} --vocab-size 400 --end <|end|> --special <|im_start|> --special <|im_end|>"));
        File.WriteAllText(F("tok/chat_template.jinja"), DataTests.ChatMl);
    }

    private void Write(string name, Func<int, object> record) =>
        File.WriteAllLines(F(name), Enumerable.Range(0, 60).Select(i => JsonSerializer.Serialize(record(i))));

    private string F(string name) => scratch.File(name);
}
