using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow eval: each token scored once, by any windows and budgets; choices as completions are scored.</summary>
[Trait("Slow", "true")]
public sealed class EvalTests : IDisposable
{
    private const string Roomy = "--device-memory 64MiB --host-memory 128MiB";
    private readonly ScratchFolder scratch = new();

    public EvalTests()
    {
        File.WriteAllLines(F("a.txt"), Enumerable.Range(0, 30).Select(i => $"Line {i} says that {i * 7} is a number{new string('!', i)}"));
        File.WriteAllText(F("model.json"), File.ReadAllText(Path.Combine(Programs.Root, "models", "nano.json"))
            .Replace("\"vocab_size\": 256", "\"vocab_size\": 300", StringComparison.Ordinal));
        Directory.CreateDirectory(F("tok"));
        Programs.Good(Programs.Dataflow($"tokenizer train {F("tok")} --text {F("a.txt")} --vocab-size 300 --end <|end|>"));
    }

    public void Dispose() => scratch.Dispose();

    [Fact]
    public void Documents_sum_to_the_whole_and_every_token_but_their_first_is_scored()
    {
        var (documents, whole) = Eval($"--seqlen 64 --data {F("a.txt")} --documents line --by-document", Roomy);
        Assert.Equal(30, documents.Count);
        Assert.All(documents, d => Assert.Equal(Long(d, "tokens") - 1, Long(d, "scored")));
        Assert.Equal(documents.Sum(d => Long(d, "scored")), Long(whole, "scored"));
        Assert.Equal(documents.Sum(d => Real(d, "sum")) / Long(whole, "scored"), Real(whole, "loss"), 1e-12);
        Assert.Equal(Math.Exp(Real(whole, "loss")), Real(whole, "perplexity"), 1e-9);
        Assert.InRange(Real(whole, "loss"), Math.Log(300) * 0.9, Math.Log(300) * 1.1);
        double bits = Real(whole, "loss") * Long(whole, "scored") / Math.Log(2) / Long(whole, "bytes");
        Assert.Equal(bits, Real(whole, "bits_per_byte"), 1e-12);

        // Of each line the first token's bytes are not scored, nor are any of the end token's.
        long bytes = new FileInfo(F("a.txt")).Length - 30;
        Assert.InRange(Long(whole, "bytes"), bytes - (30 * 6), bytes - 30);
    }

    [Theory]
    [InlineData("--device-memory 12MiB --host-memory 64MiB")]
    [InlineData("--device-memory 10MiB --host-memory 32MiB --vocabulary-blocks 3")]
    [InlineData("--device-memory 64MiB --host-memory 128MiB --chunk 16")]
    public void The_loss_is_the_same_in_other_budgets_and_chunks(string how)
    {
        string what = $"--seqlen 64 --data {F("a.txt")} --documents line --by-document";
        var (roomy, _) = Eval(what, Roomy);
        var (other, _) = Eval(what, how);
        Assert.All(roomy.Zip(other), pair => Assert.Equal(Real(pair.First, "sum"), Real(pair.Second, "sum"), 1e-4));
    }

    [Fact]
    public void A_window_that_holds_all_gives_what_smaller_ones_give_with_all_as_context()
    {
        string text = F("short.txt");
        File.WriteAllText(text, "Line 3 says that 21 is a number! Line 4 says that 28 is a number");
        var (_, whole) = Eval($"--seqlen 128 --data {text}", Roomy);
        long tokens = Long(whole, "scored") + 1;

        // Each window begins one token later, and of each but the first the last token alone is scored.
        var (_, sliding) = Eval($"--seqlen 16 --stride 1 --data {text}", Roomy);
        var (_, apart) = Eval($"--seqlen 16 --data {text}", Roomy);
        Assert.Equal(tokens - 1, Long(sliding, "scored"));
        Assert.Equal(tokens - 1, Long(apart, "scored"));
        Assert.NotEqual(Real(apart, "loss"), Real(sliding, "loss"), 1e-6);
        Assert.Equal(Real(whole, "loss"), Real(Eval($"--seqlen 128 --stride 7 --data {text}", Roomy).Whole, "loss"), 1e-9);
    }

    [Fact]
    public void A_choice_is_as_likely_as_the_completion_that_it_is()
    {
        (string Prompt, string[] Choices, int Answer)[] questions =
        [
            ("Line 5 says that 35 is a", [" number", " word", " very long answer that goes on"], 0),
            ("Line 6 says", ["that", "nothing"], 1),
        ];
        File.WriteAllLines(F("q.jsonl"), questions.Select(q => JsonSerializer.Serialize(
            new { prompt = q.Prompt, choices = q.Choices, answer = q.Answer })));
        File.WriteAllLines(F("c.jsonl"), questions.SelectMany(q => q.Choices.Select(c => JsonSerializer.Serialize(
            new { prompt = q.Prompt, completion = c[0] == ' ' ? c : " " + c }))));
        var (lines, _) = Eval($"--seqlen 64 --choices {F("q.jsonl")}", Roomy);
        var (documents, _) = Eval($"--seqlen 64 --data {F("c.jsonl")} --end none --by-document", Roomy);
        var likelihoods = lines.SelectMany(l => l.GetProperty("log_likelihoods").EnumerateArray().Select(x => x.GetDouble()));
        Assert.All(likelihoods.Zip(documents), pair => Assert.Equal(-pair.First, Real(pair.Second, "sum"), 1e-4));
        Assert.Equal(2, lines.Count);
    }

    [Theory]
    [InlineData("--seqlen 64", "give what is to be scored")]
    [InlineData("--seqlen 64 --data a --tokens b", "and not by both")]
    [InlineData("--seqlen 64 --data TEXT --stride 65", "give 1 to 64")]
    [InlineData("--seqlen 8 --choices LONG", "give a larger --seqlen")]
    [InlineData("--seqlen 64 --choices TEXT", "line 1 is no question")]
    public void What_cannot_be_scored_is_refused(string arguments, string part)
    {
        File.WriteAllText(F("long.jsonl"), """{"prompt": "x", "choices": ["a b c d e f g h i j k l m n o p q r s t", "b"], "answer": 1}""");
        string line = arguments.Replace("TEXT", F("a.txt"), StringComparison.Ordinal)
            .Replace("LONG", F("long.jsonl"), StringComparison.Ordinal);
        Assert.Contains(
            part,
            Programs.Refused(2, Programs.Dataflow($"eval {F("model.json")} {line} --tokenizer {F("tok")} {Roomy}")),
            StringComparison.Ordinal);
    }

    private (List<JsonElement> Lines, JsonElement Whole) Eval(string what, string how)
    {
        string said = Programs.Good(Programs.Dataflow($"eval {F("model.json")} {what} --tokenizer {F("tok")} {how} --json"));
        var lines = said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement).ToList();
        return (lines[..^1], lines[^1]);
    }

    private string F(string name) => scratch.File(name);

    private static long Long(JsonElement line, string name) => line.GetProperty(name).GetInt64();

    private static double Real(JsonElement line, string name) => line.GetProperty(name).GetDouble();
}
