using System.Text;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Text.Tests;

/// <summary>What cannot be done exactly is refused, by a sentence that names it.</summary>
public class RefusalTests
{
    private const string Whole = """
        {"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":null,
        "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}}
        """;

    private const string Split = "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":";

    public static TheoryData<string> Refused => new(GoldenTokenizers.Below("refused")
        .Where(f => f.EndsWith("/refuse.json", StringComparison.Ordinal)).Select(f => f.Split('/')[1]));

    [Theory]
    [MemberData(nameof(Refused))]
    public void Golden_refusals_are_named(string name)
    {
        string names = JsonDocument.Parse(GoldenTokenizers.File($"refused/{name}/refuse.json")).RootElement.Text("the_refusal_names");
        byte[] file = GoldenTokenizers.File($"refused/{name}/tokenizer.json");
        string message = Assert.Throws<UserErrorException>(() => TextTokenizer.FromJson(file)).Message;
        bool isMerge = names.StartsWith("the last merge", StringComparison.Ordinal);
        foreach (string word in isMerge ? ["zzzz", "qqqq", "not in model.vocab"] : names.Split(' '))
        {
            Assert.Contains(word, message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_whole_that_the_others_change_is_read() => Assert.Equal([2], Read(Whole).EncodeIds("ab", true));

    [Theory]
    [InlineData("\"normalizer\":null", "\"normalizer\":{\"type\":\"BertNormalizer\"}", "normalizer.type BertNormalizer")]
    [InlineData("\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\",\"phase\":1}", "normalizer.phase")]
    [InlineData(
        "\"normalizer\":null",
        "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a\"},\"content\":\"\"}",
        "normalizer.pattern")]
    [InlineData(
        "\"normalizer\":null", "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}", "charsmap is damaged")]
    [InlineData(
        "\"normalizer\":null",
        "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a)\"},\"content\":\"$1\"}",
        "normalizer.content is '$1'")]
    [InlineData("\"normalizer\":null", "\"normalizer\":7", "normalizer is the number 7")]
    [InlineData("\"decoder\":null", "\"decoder\":{\"type\":\"CTC\"}", "decoder.type CTC")]
    [InlineData("\"post_processor\":null", "\"post_processor\":{\"type\":\"Moon\"}", "post_processor.type Moon")]
    [InlineData("\"pre_tokenizer\":null", Split + "{\"Regex\":\"\\\\p{Moon}\"},\"behavior\":\"Isolated\",\"invert\":false}", "'Moon'")]
    [InlineData("\"pre_tokenizer\":null", Split + "{\"Regex\":\"a\"},\"behavior\":\"Alone\",\"invert\":false}", "'Alone'")]
    [InlineData("\"version\":\"1.0\"", "\"version\":\"2.0\"", "version is '2.0'")]
    [InlineData("\"version\":\"1.0\"", "\"version\":\"1.0\",\"truncation\":{}", "truncation")]
    [InlineData("\"version\":\"1.0\"", "\"version\":\"1.0\",\"padding\":{\"strategy\":{\"Fixed\":8}}", "padding")]
    [InlineData("\"version\":\"1.0\"", "\"version\":\"1.0\",\"moon\":1", "moon is a key")]
    [InlineData("\"type\":\"BPE\"", "\"type\":\"BPE\",\"dropout\":0.1", "model.dropout")]
    [InlineData("\"ab\":2", "\"ab\":-2", "model.vocab")]
    [InlineData("\"ab\":2", "\"ab\":1", "id 1 twice")]
    [InlineData("\"ab\":2", "\"\\ud800\":2", "half of a surrogate pair")]
    [InlineData("[[\"a\",\"b\"]]", "[[\"a\",\"b\",\"c\"]]", "model.merges[0] has 3 parts")]
    [InlineData("[[\"a\",\"b\"]]", "[[\"b\",\"a\"]]", "model.merges[0] ['b', 'a'] makes a token")]
    [InlineData("[[\"a\",\"b\"]]", "7", "model.merges is the number 7")]
    [InlineData("}}", "}", "no JSON")]
    public void Each_is_named(string from, string to, string named) =>
        Assert.Contains(named, Refusal(() => Read(Whole.Replace(from, to, StringComparison.Ordinal))), StringComparison.Ordinal);

    [Fact]
    public void Deep_files_end_in_a_sentence()
    {
        string deep = new string('[', 100_000) + new string(']', 100_000);
        Assert.Contains("nested deeper", Refusal(() => Read(deep)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("{}")]
    [InlineData("\0\u0001\u0002")]
    public void What_is_no_tokenizer_ends_in_a_sentence(string text) => Assert.Throws<UserErrorException>(() => Read(text));

    [Fact]
    public void Half_a_surrogate_pair_is_no_text() =>
        Assert.Contains("place 1", Refusal(() => Read(Whole).EncodeIds("a\ud800b", false)), StringComparison.Ordinal);

    [Fact]
    public void A_pattern_that_goes_back_without_end_is_given_up()
    {
        var pattern = new RegexPattern("(?:a+)+b");
        Assert.Contains("goes back too often", Refusal(() => pattern.Find(new string('a', 5000), [])), StringComparison.Ordinal);
    }

    private static string Refusal(Action read) => Assert.Throws<UserErrorException>(read).Message;

    private static TextTokenizer Read(string json) => TextTokenizer.FromJson(Encoding.UTF8.GetBytes(json));
}
