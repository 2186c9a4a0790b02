using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>Pairs of answers, by the commands that a user types.</summary>
[Trait("Slow", "true")]
public sealed class PreferenceTests : IDisposable
{
    private const string Budgets = "--global-batch 256 --device-memory 16MiB --host-memory 64MiB --policy simple --device cpu";
    private readonly ScratchFolder scratch = new();

    public PreferenceTests()
    {
        File.WriteAllLines(F("a.txt"), Enumerable.Range(0, 300).Select(i => $"Line {i} says that {i * 7} is a number. Who could know it?"));
        File.WriteAllLines(F("pairs.jsonl"), Enumerable.Range(0, 30).Select(i => JsonSerializer.Serialize(
            new { prompt = $"What is {i}?", chosen = $" {i} is a number.", rejected = " Who could know it?" })));
        File.WriteAllLines(F("turns.jsonl"), Enumerable.Range(0, 30).Select(i => JsonSerializer.Serialize(new
        {
            prompt = new[] { new { role = "user", content = $"{i}?" } },
            chosen = new[] { new { role = "assistant", content = "A number." } },
            rejected = new[] { new { role = "assistant", content = "Who knows?" } },
        })));
        File.WriteAllText(F("model.json"), File.ReadAllText(Path.Combine(Programs.Root, "models", "nano.json"))
            .Replace("\"vocab_size\": 256", "\"vocab_size\": 400", StringComparison.Ordinal));
        Directory.CreateDirectory(F("tok"));
        Programs.Good(Programs.Dataflow(
            $"tokenizer train {F("tok")} --text {F("a.txt")} --vocab-size 400 --end <|end|> --special <|im_start|> --special <|im_end|>"));
        File.WriteAllText(F("tok/chat_template.jinja"), DataTests.ChatMl);
    }

    public void Dispose() => scratch.Dispose();

    /// <summary>Each loss learns; what the first step says is what follows from a reference that is the model itself.</summary>
    [Theory]
    [InlineData("pairs", "sigmoid", 0.6931)]
    [InlineData("turns", "sigmoid-smoothed --preference-smoothing 0.1", 0.6931)]
    [InlineData("pairs", "robust --preference-smoothing 0.1", 0.6931)]
    [InlineData("turns", "ipo --preference-beta 0.5", 1)]
    [InlineData("pairs", "ipo-sums --preference-beta 0.1", 25)]
    [InlineData("pairs", "hinge", 1)]
    [InlineData("turns", "sigmoid-norm", 0.6931)]
    public void Training_raises_the_margin(string data, string loss, double first)
    {
        string file = F(data + ".jsonl");
        var steps = Steps(Train($"--data {file} --validation {file} --preference-loss {loss} --steps 6 --json"));
        Assert.Equal(first, steps[0].GetProperty("loss").GetDouble(), 1e-3);
        Assert.Equal(0, steps[0].GetProperty("preferences").GetProperty("margin").GetDouble(), 1e-3);
        var last = steps[^1].GetProperty("validation_preferences");
        Assert.Equal(30, last.GetProperty("pairs").GetInt32());
        Assert.InRange(last.GetProperty("accuracy").GetDouble(), 0.9, 1);
        Assert.InRange(last.GetProperty("margin").GetDouble(), 0.02, 100);
        Assert.True(steps[^1].GetProperty("validation_loss").GetDouble() < first);
    }

    /// <summary>The negative log-likelihood of chosen answers is part of the loss.</summary>
    [Fact]
    public void A_share_of_the_likelihood_is_added()
    {
        var step = Steps(Train($"--data {F("pairs.jsonl")} --preference-loss sigmoid --nll-share 0.5 --steps 1 --json"))[0];
        Assert.InRange(step.GetProperty("loss").GetDouble(), Math.Log(2) + (0.4 * Math.Log(400)), Math.Log(2) + (0.6 * Math.Log(400)));
    }

    [Fact]
    public void A_run_goes_on_within_an_epoch_to_the_same_bits()
    {
        string how = $"--data {F("turns.jsonl")} --preference-loss sigmoid --preference-beta 0.3 --nll-share 0.1 --validation-split 10%";
        Programs.Good(Train($"{how} --steps 5 --checkpoint {F("whole")}"));
        Programs.Good(Train($"{how} --steps 2 --checkpoint {F("parts")} --no-cache"));
        string resumed = Programs.Good(Programs.Dataflow($"train --resume {F("parts")} --steps 5"));
        Assert.Contains("Changed: steps 2 -> 5", resumed, StringComparison.Ordinal);
        Assert.Single(resumed.Split('\n'), l => l.StartsWith("Changed", StringComparison.Ordinal));
        foreach (string file in new[] { "model.safetensors", "first_moments.safetensors", "second_moments.safetensors" })
        {
            Assert.Equal(
                File.ReadAllBytes(Path.Combine(F("whole"), "step-00000005", file)),
                File.ReadAllBytes(Path.Combine(F("parts"), "step-00000005", file)));
        }
    }

    /// <summary>Of an adapter the base is the reference, also where its training goes on: then it begins with a margin.</summary>
    [Fact]
    public void The_reference_of_an_adapter_is_its_base_and_another_can_be_named()
    {
        string how = $"--data {F("pairs.jsonl")} --preference-loss sigmoid";
        var begun = Steps(Train($"{how} --lora-rank 4 --steps 4 --lr 1e-2 --export {F("adapter")} --json"));
        Assert.Equal(0, begun[0].GetProperty("preferences").GetProperty("margin").GetDouble(), 1e-3);
        var gone = Steps(Train($"{how} --adapter {F("adapter")} --steps 1 --json"))[0].GetProperty("preferences");
        Assert.InRange(gone.GetProperty("margin").GetDouble(), 0.05, 100);

        Programs.Good(Train($"{how} --steps 4 --export {F("trained")}"));
        var compared = Steps(Train($"{how} --reference {F("trained")} --steps 1 --json"))[0].GetProperty("preferences");
        Assert.InRange(compared.GetProperty("margin").GetDouble(), -100, -0.05);
        Assert.Contains(
            "is of another model than the one that is trained",
            Programs.Refused(2, Train($"{how} --reference {Path.Combine(Programs.Root, "models", "micro.json")}")),
            StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_is_refused()
    {
        string Refusal(string options) => Programs.Refused(2, Train(options));
        string pairs = $"--data {F("pairs.jsonl")}";
        void Check(string why, string options) => Assert.Contains(why, Refusal(options), StringComparison.Ordinal);
        Check("has pairs of answers, chosen and rejected; say with which loss they are to be trained", pairs);
        Check("compares pairs of answers, and", $"--data {F("a.txt")} --documents line --preference-loss sigmoid");
        Check("'dpo' is no loss of pairs; there are sigmoid, sigmoid-smoothed, robust, ipo", $"{pairs} --preference-loss dpo");
        Check("--preference-beta does nothing without --preference-loss", $"{pairs} --preference-beta 1");
        Check("beta is 0; give a number above 0", $"{pairs} --preference-loss ipo --preference-beta 0");
        Check("the loss sigmoid has no smoothing", $"{pairs} --preference-loss sigmoid --preference-smoothing 0.1");
        Check("which are compared as a whole", $"{pairs} --preference-loss sigmoid --overlong truncate");
        Check("which are compared as a whole", $"{pairs} --preference-loss sigmoid --pack stream");
        Check("and both have to be in one row, which has 16; give --seqlen", $"{pairs} --preference-loss sigmoid --seqlen 16");
        Check("a loss of pairs computes the head of", $"{pairs} --preference-loss sigmoid --lora-rank 4 --lora-targets lm_head");
        Assert.Contains(
            "has pairs of answers, which are compared and not scored one by one",
            Programs.Refused(2, Programs.Dataflow($"eval {F("model.json")} {pairs} --tokenizer {F("tok")} --seqlen 64 --device cpu")),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Pairs_are_tokenized_shown_and_trained_on()
    {
        Programs.Good(Programs.Dataflow($"data tokenize {F("pairs.jsonl")} --tokenizer {F("tok")} --out {F("tokens")}"));
        string documents = Programs.Good(Programs.Dataflow($"data show {F("tokens")} --tokenizer {F("tok")} --count 1"));
        Assert.Contains("What is 0?[[ 0 is a number.<|end|>]]", documents, StringComparison.Ordinal);
        Assert.Contains("What is 0?[[ Who could know it?<|end|>]]", documents, StringComparison.Ordinal);
        string rows = Programs.Good(Programs.Dataflow(
            $"data show {F("tokens")} --tokenizer {F("tok")} --seqlen 64 --count 1 --json"));
        Assert.Equal(0, JsonDocument.Parse(rows).RootElement.GetProperty("documents").GetArrayLength() % 2);
        Assert.Contains(
            "30 pairs", Programs.Good(Train($"--data {F("tokens")} --preference-loss sigmoid --steps 1")), StringComparison.Ordinal);
    }

    private static List<JsonElement> Steps(Outcome run) =>
        [
            .. Programs.Good(run)
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(l => JsonDocument.Parse(l).RootElement)
                .Where(e => e.GetProperty("event").GetString() == "step"),
        ];

    private Outcome Train(string options) =>
        Programs.Dataflow(
            $"train {F("model.json")} --tokenizer {F("tok")} {Budgets} {options}"
                + $"{(options.Contains("--lr ", StringComparison.Ordinal) ? "" : " --lr 3e-3")}"
                + $"{(options.Contains("--seqlen ", StringComparison.Ordinal) ? "" : " --seqlen 64")}");

    private string F(string name) => scratch.File(name);
}
