using System.IO.Compression;
using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow tokenizer: texts as ids and back by golden tokenizers, and a tokenizer learnt from a text.</summary>
public sealed class TokenizerTests : IDisposable
{
    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    [Theory]
    [InlineData("qwen", "tokenizer.json", "")]
    [InlineData("spm-bpe", "tokenizer.model", "spm_")]
    public void Lines_are_encoded_and_decoded_as_the_golden_ones(string name, string file, string prefix)
    {
        Put($"{name}/{file}", file);
        var golden = Lines($"{name}/expected.jsonl");
        string texts = Write("texts.jsonl", golden.Select(l => JsonSerializer.Serialize(new { text = l.GetProperty("text").GetString() })));
        var encoded = Output("encode", scratch.Path, "--input", texts);
        Assert.Equal(Raw(golden, prefix + "ids"), Raw(encoded, "ids"));
        Assert.Equal(Raw(golden, prefix + "offsets"), Raw(encoded, "offsets"));
        if (prefix.Length == 0)
        {
            Assert.Equal(Raw(golden, "ids_special"), Raw(encoded, "ids_special"));
        }

        string ids = Write("ids.jsonl", encoded.Select(l => $"{{\"ids\":{l.GetProperty("ids").GetRawText()}}}"));
        var decoded = Output("decode", scratch.Path, "--input", ids);
        Assert.Equal(Texts(golden, prefix + "decoded"), Texts(decoded, "decoded"));
        Assert.All(decoded, l => Assert.Equal(JsonValueKind.String, l.GetProperty("decoded_skip").ValueKind));
    }

    [Fact]
    public void A_tokenizer_is_learnt_as_the_golden_one()
    {
        Put("train/corpus.txt", "corpus.txt");
        string said = Programs.Good(Run(
            "train", scratch.Path, "--text", scratch.File("corpus.txt"), "--vocab-size", "1000", "--special", "<|endoftext|>"));
        Assert.Contains("tokenizer.json has 1000 tokens", said, StringComparison.Ordinal);
        using var golden = JsonDocument.Parse(Golden("train/v1000.json"));
        using var made = JsonDocument.Parse(File.ReadAllText(scratch.File("tokenizer.json")));
        Assert.Equal(
            golden.RootElement.GetProperty("vocab").EnumerateArray().Select(e => e.GetString()),
            made.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject().Select(p => p.Name));
    }

    [Theory]
    [InlineData("encode", "{\"text\":1}", "line 1: it has no text")]
    [InlineData("encode", "{\"text\":\"a\"}\n\n{", "line 3 is no JSON")]
    [InlineData("encode", "{\"text\":\"\\ud800\"}", "half of a surrogate pair")]
    [InlineData("decode", "{\"ids\":[1,-1]}", "-1 is no id")]
    [InlineData("decode", "{\"text\":\"a\"}", "it has no ids")]
    public void A_line_that_is_none_is_named(string deed, string lines, string named)
    {
        Put("qwen/tokenizer.json", "tokenizer.json");
        string said = Programs.Refused(2, Run(deed, scratch.Path, "--input", Write("lines.jsonl", [lines])));
        Assert.Contains(named, said, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_done_is_said_in_a_sentence_with_the_file()
    {
        string said = Programs.Refused(2, Run("encode", scratch.Path));
        Assert.Contains("has neither tokenizer.json nor tokenizer.model", said, StringComparison.Ordinal);
        Put("refused/unknown-normalizer/tokenizer.json", "tokenizer.json");
        said = Programs.Refused(2, Run("encode", scratch.Path));
        Assert.Contains("normalizer.normalizers[1].type Sparkle", said, StringComparison.Ordinal);
        Assert.Contains(scratch.File("tokenizer.json"), said, StringComparison.Ordinal);
        Assert.Contains("'enkode' is not one of", Programs.Refused(2, Run("enkode", scratch.Path)), StringComparison.Ordinal);
        Assert.Contains("train needs --vocab-size", Programs.Refused(2, Run("train", scratch.Path)), StringComparison.Ordinal);
    }

    private static IEnumerable<string> Raw(IEnumerable<JsonElement> lines, string key) =>
        lines.Select(l => l.GetProperty(key).GetRawText());

    private static IEnumerable<string?> Texts(IEnumerable<JsonElement> lines, string key) =>
        lines.Select(l => l.GetProperty(key).GetString());

    private static Outcome Run(params string[] arguments) => InProcess.Run(DataflowCommand.Run, ["tokenizer", .. arguments]);

    private static List<JsonElement> Output(params string[] arguments) =>
        [.. Programs.Good(Run(arguments)).TrimEnd('\n').Split('\n').Select(l => JsonDocument.Parse(l).RootElement)];

    private static List<JsonElement> Lines(string path) =>
        [.. System.Text.Encoding.UTF8.GetString(Golden(path)).TrimEnd('\n').Split('\n').Select(l => JsonDocument.Parse(l).RootElement)];

    private static byte[] Golden(string path)
    {
        using var zip = ZipFile.OpenRead(Path.Combine(Programs.Root, "tests", "golden-text", "tokenizers", "cases.zip"));
        using var from = zip.GetEntry(path)!.Open();
        using var to = new MemoryStream();
        from.CopyTo(to);
        return to.ToArray();
    }

    private void Put(string golden, string name) => File.WriteAllBytes(scratch.File(name), Golden(golden));

    private string Write(string name, IEnumerable<string> lines)
    {
        File.WriteAllText(scratch.File(name), string.Concat(lines.Select(l => l + "\n")));
        return scratch.File(name);
    }
}
