using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Dataflow.Tests;

namespace Dataflow.Cli.Tests;

/// <summary>`make finetune` with a small model of the test's own: measured, tuned, measured again, and gone on with after kills.</summary>
[Trait("Slow", "true")]
public sealed class FinetuneTests : IDisposable
{
    private const int Vocabulary = 400;

    private const string ChatMl = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    private readonly ScratchFolder scratch = new();

    public FinetuneTests()
    {
        string[] conversations =
        [
            .. Enumerable.Range(0, 60).Select(i => JsonSerializer.Serialize(new
            {
                messages = new[]
                {
                    new { role = "user", content = $"What is {i}?" }, new { role = "assistant", content = $"It is a number, {i}." },
                },
            })),
        ];
        File.WriteAllLines(F("trained.jsonl"), conversations.Where((_, i) => i % 6 > 0));
        File.WriteAllLines(F("held-out.jsonl"), conversations.Where((_, i) => i % 6 == 0));
        Directory.CreateDirectory(F("tokenizer"));
        Programs.Good(Programs.Dataflow(
            $"tokenizer train {F("tokenizer")} --text {F("trained.jsonl")} --vocab-size {Vocabulary} "
                + "--end <|im_end|> --special <|im_start|>"));
        File.WriteAllText(F("tokenizer/chat_template.jinja"), ChatMl);
        File.WriteAllText(F("config.json"), File.ReadAllText(Path.Combine(Programs.Root, "models", "nano.json"))
            .Replace("\"vocab_size\": 256", $"\"vocab_size\": {Vocabulary}", StringComparison.Ordinal));
        Programs.Good(Programs.Dataflow(
            $"train {F("config.json")} --seqlen 64 --device-memory 16MiB --host-memory 64MiB --data {F("trained.jsonl")} "
                + $"--tokenizer {F("tokenizer")} --global-batch 256 --steps 1 --export {F("model")}"));
        foreach (string file in Directory.EnumerateFiles(F("tokenizer")))
        {
            File.Copy(file, F($"model/{Path.GetFileName(file)}"));
        }
    }

    public void Dispose() => scratch.Dispose();

    [Fact]
    public void It_measures_before_and_after_and_goes_on_after_a_kill_to_the_same_bytes()
    {
        var clock = Stopwatch.StartNew();
        var (status, said) = Finetune("straight", null);
        var whole = clock.Elapsed;
        Assert.True(status == 0, said);
        Assert.True(Loss("straight/after.txt") < Loss("straight/before.txt"), said);
        Assert.Contains(" less. The tuned model: ", said, StringComparison.Ordinal);

        var random = new Random(5);
        for (int kill = 0; kill < 4; kill++)
        {
            Finetune("killed", whole * random.NextDouble());
        }

        (status, said) = Finetune("killed", null);
        Assert.True(status == 0, said);
        Assert.All(["tuned/model.safetensors", "before.txt", "after.txt"], f => Assert.Equal(
            File.ReadAllBytes(F($"straight/{f}")), File.ReadAllBytes(F($"killed/{f}"))));

        // Once more: what was made is looked at and left.
        (status, said) = Finetune("killed", null);
        Assert.True(status == 0 && said.Contains("remove", StringComparison.Ordinal), said);
    }

    /// <summary>What it was tuned on is read by the model's own tokenizer again when the run goes on.</summary>
    [Fact]
    public void A_run_on_texts_goes_on_by_the_tokenizer_of_its_model()
    {
        string train = $"train {F("model")} --seqlen 64 --device-memory 16MiB --host-memory 64MiB --data {F("trained.jsonl")} "
            + "--global-batch 256 --device cpu";
        _ = Programs.Good(Programs.Dataflow($"{train} --steps 4 --export {F("once")}"));
        _ = Programs.Good(Programs.Dataflow($"{train} --steps 2 --checkpoint {F("saved")}"));
        _ = Programs.Good(Programs.Dataflow($"train --resume {F("saved")} --steps 4 --export {F("twice")}"));
        Assert.Equal(File.ReadAllBytes(F("once/model.safetensors")), File.ReadAllBytes(F("twice/model.safetensors")));
    }

    /// <summary>A model of the hub is fetched, tuned by its name, and not fetched again.</summary>
    [Fact]
    public void A_model_of_the_hub_is_fetched_first()
    {
        using var world = new HubWorld();
        world.Files.Clear();
        foreach (string file in Directory.EnumerateFiles(F("model")))
        {
            world.Files[Path.GetFileName(file)] = File.ReadAllBytes(file);
        }

        var variables = new Dictionary<string, string>
        {
            ["HF_HUB_CACHE"] = world.Settings.Cache, ["HF_ENDPOINT"] = world.Settings.Endpoint, ["HF_TOKEN"] = HubWorld.Token,
            ["STEPS"] = "2",
        };
        var (status, said) = Finetune("hub", null, $"hf:{HubWorld.Id}", variables);
        Assert.True(status == 0, said);
        Assert.Contains(" less. The tuned model: ", said, StringComparison.Ordinal);
        int asked = world.Storage.Requests.Count;
        Assert.True(Finetune("hub", null, $"hf:{HubWorld.Id}", variables).Status == 0);
        Assert.Equal(asked, world.Storage.Requests.Count);
    }

    private string F(string name) => scratch.File(name);

    private double Loss(string file) =>
        double.Parse(File.ReadAllText(F(file)).Split(' ')[1], CultureInfo.InvariantCulture);

    /// <summary>Calls it, and kills all of it after a time.</summary>
    private (int Status, string Said) Finetune(
        string folder, TimeSpan? kill, string? model = null, Dictionary<string, string>? variables = null)
    {
        var start = new ProcessStartInfo("setsid", ["sh", "src/TransformerDemo/finetune.sh", model ?? F("model"), F(folder)])
        {
            WorkingDirectory = Programs.Root, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach (var (name, value) in new (string, string)[]
        {
            ("DATA", F("trained.jsonl")), ("HELD_OUT", F("held-out.jsonl")), ("DEVICE", "16MiB"), ("STEPS", "12"), ("EVERY", "3"),
            ("RATE", "1e-3"), ("BATCH", "512"), ("SEQLEN", "128"),
        })
        {
            start.Environment[name] = value;
        }

        foreach (var (name, value) in variables ?? [])
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        if (kill is { } after && !process.WaitForExit(after))
        {
            Programs.Run("kill", ["-KILL", "--", $"-{process.Id}"]);
        }

        process.WaitForExit();
        return (process.ExitCode, output.GetAwaiter().GetResult() + errors.GetAwaiter().GetResult());
    }
}
