using System.Text;
using System.Text.Json;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Text.Tests;

/// <summary>Training gives the vocabulary and the merges that the Rust library's trainer gives.</summary>
public class BpeTrainerTests
{
    public static TheoryData<string> Trainings => new(
        GoldenTokenizers.Below("train").Where(f => f.EndsWith(".json", StringComparison.Ordinal)).Select(f => f[6..^5]));

    [Fact]
    public void There_are_eleven() => Assert.Equal(11, Trainings.Count);

    [Theory]
    [MemberData(nameof(Trainings))]
    public void Vocabulary_and_merges_are_the_same(string name)
    {
        var golden = JsonDocument.Parse(GoldenTokenizers.File($"train/{name}.json")).RootElement;
        var stages = PreTokenizerReader.Read(golden.GetProperty("pre_tokenizer"), "pre_tokenizer");
        var counts = new WordCounts(stages);
        counts.Add(Encoding.UTF8.GetString(GoldenTokenizers.File($"train/{golden.Text("file")}")));
        var (tokens, merges) = BpeTrainer.Train(counts.Words, Options(golden));
        Assert.Equal(golden.GetProperty("vocab").EnumerateArray().Select(e => e.GetString()), tokens);
        Assert.Equal(golden.GetProperty("merges").EnumerateArray().Select(e => (e[0].GetString()!, e[1].GetString()!)), merges);
    }

    [Theory]
    [InlineData("v1000")]
    [InlineData("v1000-digits3")]
    [InlineData("v1000-four-special")]
    public void The_file_that_is_written_is_read_as_what_was_learnt(string name)
    {
        var golden = JsonDocument.Parse(GoldenTokenizers.File($"train/{name}.json")).RootElement;
        string? pattern = golden.GetProperty("pre_tokenizer").TryGetProperty("pretokenizers", out var stages)
            ? stages[0].GetProperty("pattern").Text("Regex") : null;
        string text = Encoding.UTF8.GetString(GoldenTokenizers.File($"train/{golden.Text("file")}"));
        string file = ByteLevelTraining.Train([text], Options(golden), pattern);
        var model = JsonDocument.Parse(file).RootElement.GetProperty("model");
        Assert.Equal(
            golden.GetProperty("vocab").EnumerateArray().Select((e, i) => (e.GetString()!, i)),
            model.GetProperty("vocab").EnumerateObject().Select(p => (p.Name, p.Value.GetInt32())));
        var tokenizer = TextTokenizer.FromJson(Encoding.UTF8.GetBytes(file));
        Assert.Equal(text, tokenizer.Decode(tokenizer.EncodeIds(text, true), false));
        foreach (string special in Options(golden).SpecialTokens.Where(t => t.Length > 1))
        {
            Assert.Equal([tokenizer.IdOf(special)!.Value], tokenizer.EncodeIds(special, true));
        }
    }

    private static BpeTrainingOptions Options(JsonElement golden) => new()
    {
        VocabularySize = golden.GetProperty("vocab_size").GetInt32(),
        MinFrequency = golden.GetProperty("min_frequency").GetInt32(),
        SpecialTokens = [.. golden.GetProperty("special_tokens").EnumerateArray().Select(e => e.GetString()!)],
        AllBytes = golden.Text("initial_alphabet") != "none",
        MaxTokenLength = golden.TryGetProperty("max_token_length", out var most) ? most.GetInt32() : null,
    };
}
