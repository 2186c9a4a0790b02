using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>From texts, records and conversations to a trained model, by the commands that a user types.</summary>
[Trait("Slow", "true")]
public sealed class DataTests : IDisposable
{
    private const string Budgets = "--device-memory 16MiB --host-memory 64MiB --policy simple";
    internal const string ChatMl =
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

    private readonly ScratchFolder scratch = new();

    public DataTests()
    {
        File.WriteAllLines(F("a.txt"), Enumerable.Range(0, 400).Select(i => $"Line {i} of the first text says that {i * 7} is a number."));
        File.WriteAllLines(F("b.txt"), Enumerable.Range(0, 300).Select(i => $"The other text has {i} in it, and little else to say."));
        File.WriteAllLines(F("chats.jsonl"), Enumerable.Range(0, 60).Select(i => JsonSerializer.Serialize(new
        {
            messages = new[]
            {
                new { role = "user", content = $"What is {i}?" }, new { role = "assistant", content = $"It is a number, {i}." },
            },
        })));
        File.WriteAllText(F("model.json"), File.ReadAllText(Path.Combine(Programs.Root, "models", "nano.json"))
            .Replace("\"vocab_size\": 256", "\"vocab_size\": 400", StringComparison.Ordinal));
        Directory.CreateDirectory(F("tok"));
        Programs.Good(Programs.Dataflow(
            $"tokenizer train {F("tok")} --text {F("a.txt")} --vocab-size 400 --end <|end|> --special <|im_start|> --special <|im_end|>"));
        File.WriteAllText(F("tok/chat_template.jinja"), ChatMl);
    }

    public void Dispose() => scratch.Dispose();

    [Fact]
    public void Tokenized_texts_are_shown_and_trained_on()
    {
        string said = Programs.Good(Programs.Dataflow(
            $"data tokenize {F("*.txt")} --documents line --tokenizer {F("tok")} --out {F("tokens")}"));
        Assert.Contains("tokens in 700 documents, 1 shards", said, StringComparison.Ordinal);
        string again = Programs.Good(Programs.Dataflow(
            $"data tokenize {F("*.txt")} --documents line --tokenizer {F("tok")} --out {F("tokens")} --json"));
        Assert.Equal(700, JsonDocument.Parse(again).RootElement.GetProperty("documents").GetInt64());

        string shown = Programs.Good(Programs.Dataflow($"data show {F("tokens")} --tokenizer {F("tok")} --skip 400 --count 1"));
        Assert.Contains("[[The other text has 0 in it, and little else to say.<|end|>]]", shown, StringComparison.Ordinal);
        string rows = Programs.Good(Programs.Dataflow(
            $"data show {F("tokens")} --tokenizer {F("tok")} --seqlen 64 --count 1 --json"));
        var row = JsonDocument.Parse(rows).RootElement;
        Assert.Equal(row.GetProperty("ids").GetArrayLength(), row.GetProperty("documents").EnumerateArray().Sum(d => d.GetInt32()));

        string trained = Programs.Good(Train($"--data {F("tokens")} --validation-split 5% --validate-every 2 --steps 4"));
        Assert.Contains("texts, a line a document", trained, StringComparison.Ordinal);
        Assert.Contains("validation ", trained, StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_are_trained_on_as_they_are_and_a_run_goes_on_to_the_same_bits()
    {
        string how = $"--data {F("a.txt")} --data {F("b.txt")} --documents line --tokenizer {F("tok")} --shuffle all --overlong truncate";
        Programs.Good(Train($"{how} --steps 6 --checkpoint {F("whole")}"));
        Programs.Good(Train($"{how} --steps 3 --checkpoint {F("parts")}"));
        string resumed = Programs.Good(Programs.Dataflow($"train --resume {F("parts")} --steps 6"));
        Assert.Contains("Changed: steps 3 -> 6", resumed, StringComparison.Ordinal);
        Assert.Single(resumed.Split('\n'), l => l.StartsWith("Changed", StringComparison.Ordinal));
        AssertSame("whole", "parts", 6);
    }

    [Fact]
    public void Standard_input_is_trained_on_like_the_file()
    {
        // A shell, as a user would: the stream is the process's own.
        Outcome Shell(string input, string arguments) => Programs.Run("sh", ["-c",
            $"cat {F(input)} | bin/dataflow train {F("model.json")} --seqlen 64 --global-batch 256 {Budgets} --documents line "
                + $"--tokenizer {F("tok")} --shuffle window {arguments}"]);
        Programs.Good(Shell("a.txt", $"--data - --steps 2 --checkpoint {F("piped")}"));
        Programs.Good(Shell("b.txt", $"--data {F("a.txt")} --steps 2 --checkpoint {F("read")}"));
        AssertSame("piped", "read", 2);
        Assert.Contains(
            "is not what the run",
            Programs.Run("sh", ["-c", $"cat {F("b.txt")} | bin/dataflow train --resume {F("piped")} --steps 3"]).Errors,
            StringComparison.Ordinal);
        Programs.Good(Programs.Run("sh", ["-c", $"cat {F("a.txt")} | bin/dataflow train --resume {F("piped")} --steps 3"]));
    }

    [Theory]
    [InlineData("--pack stream", "without --pack, and this one goes on with --pack stream")]
    [InlineData("--overlong drop", "--overlong")]
    [InlineData("--shuffle none", "with --shuffle all")]
    [InlineData("--validation-split 50%", "with --validation-split 0.05")]
    public void Other_rows_of_the_same_data_are_no_going_on(string other, string part)
    {
        Programs.Good(Train($"--data {F("a.txt")} --documents line --tokenizer {F("tok")} --shuffle all --validation-split 5% "
            + $"--validate-every 2 --steps 2 --checkpoint {F("run")}"));
        string refused = Programs.Refused(2, Programs.Dataflow($"train --resume {F("run")} --steps 4 {other}"));
        Assert.Contains(part, refused, StringComparison.Ordinal);
        Assert.Contains(
            "every 2 steps", Programs.Good(Programs.Dataflow($"train --resume {F("run")} --steps 4")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_prompt_that_is_longer_than_a_row_ends_no_run()
    {
        File.WriteAllLines(F("pairs.jsonl"), Enumerable.Range(0, 60).Select(i => JsonSerializer.Serialize(new
        {
            prompt = i % 4 == 0 ? string.Join(' ', Enumerable.Range(0, 200)) : $"What is {i}?", completion = $" It is {i}.",
        })));
        foreach (string how in new[] { "", "--overlong split", "--overlong truncate" })
        {
            Programs.Good(Programs.Dataflow(
                $"train {F("model.json")} --seqlen 64 --global-batch 64 {Budgets} --data {F("pairs.jsonl")} --tokenizer {F("tok")} "
                    + $"--steps 30 {how}"));
        }
    }

    [Fact]
    public void A_mixture_goes_on_to_the_same_bits()
    {
        string how = $"--data {F("a.txt")} --data {F("b.txt")} --weights 3,1 --documents line --tokenizer {F("tok")}";
        string said = Programs.Good(Train($"{how} --steps 5 --checkpoint {F("whole")}"));
        Assert.Contains("Data: 75% ", said, StringComparison.Ordinal);
        Programs.Good(Train($"{how} --steps 2 --checkpoint {F("parts")}"));
        Programs.Good(Programs.Dataflow($"train --resume {F("parts")} --steps 5"));
        AssertSame("whole", "parts", 5);
    }

    [Fact]
    public void Conversations_are_shown_with_what_is_trained_and_trained_on()
    {
        var shown = Programs.Dataflow($"data show {F("chats.jsonl")} --tokenizer {F("tok")} --count 1");
        Assert.Equal(0, shown.Status);
        Assert.Contains(
            "<|im_start|>user\nWhat is 0?<|im_end|>\n<|im_start|>assistant\n[[It is a number, 0.<|im_end|>\n]]<|end|>",
            shown.Output,
            StringComparison.Ordinal);
        Assert.Contains("conversations as messages", shown.Errors, StringComparison.Ordinal);
        string trained = Programs.Good(Train($"--data {F("chats.jsonl")} --tokenizer {F("tok")} --steps 2"));
        Assert.Contains("conversations as messages (role, content)", trained, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--data TEXT --documents line", "the model brings no tokenizer")]
    [InlineData("--data TEXT --tokenizer TOK --end nosuch", "has no token 'nosuch'")]
    [InlineData("--data TEXT --tokenizer TOK --weights 1,2", "gives 2 weights, and --data names 1")]
    [InlineData("--data TEXT --tokenizer TOK --weights 1,-2", "'-2' is no weight")]
    [InlineData("--data TEXT --tokenizer TOK --pack tight", "'tight' is not one of packed, stream")]
    [InlineData("--data TEXT --tokenizer TOK --validation-split 1", "'1' is no share")]
    [InlineData("--data TEXT --tokenizer TOK --documents line --validation-split 1% --validation TEXT", "were both given")]
    [InlineData("--data nosuch*.txt --tokenizer TOK", "nosuch*.txt")]
    [InlineData("--data nosuch.jsonl", "the model brings no tokenizer")]
    [InlineData("--data DIR --tokenizer TOK --tokens TEXT", "were both given")]
    public void What_cannot_be_is_refused(string arguments, string part) => Assert.Contains(
        part,
        Programs.Refused(2, Train(arguments
            .Replace("TEXT", F("a.txt"), StringComparison.Ordinal).Replace("TOK", F("tok"), StringComparison.Ordinal))),
        StringComparison.Ordinal);

    [Fact]
    public void Documents_that_would_not_be_trained_are_refused_or_left_out_and_counted()
    {
        File.AppendAllText(F("chats.jsonl"), "{\"messages\": [{\"role\": \"user\", \"content\": \"alone\"}]}\n");
        string run = $"data tokenize {F("chats.jsonl")} --tokenizer {F("tok")} --out {F("tokens")}";
        string refused = Programs.Refused(2, Programs.Dataflow(run));
        Assert.Contains("chats.jsonl, line 61: nothing of this conversation would be trained", refused, StringComparison.Ordinal);
        Assert.Contains("1 of which nothing would be trained", Programs.Good(Programs.Dataflow($"{run} --untrained "
            + $"drop")), StringComparison.Ordinal);
    }

    private string F(string name) => scratch.File(name);

    private Outcome Train(string arguments) =>
        Programs.Dataflow($"train {F("model.json")} --seqlen 64 --global-batch 256 {Budgets} {arguments}");

    private void AssertSame(string one, string other, int step) => Assert.All(
        Directory.GetFiles(F($"{one}/step-{step:00000000}"), "*.safetensors"),
        file => Assert.Equal(
            File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(F(other), $"step-{step:00000000}", Path.GetFileName(file)))));
}
