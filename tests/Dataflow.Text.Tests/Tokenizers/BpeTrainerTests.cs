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
        var counts = new WordCounts(null, stages);
        counts.Add(Encoding.UTF8.GetString(GoldenTokenizers.File($"train/{golden.Text("file")}")));
        var (tokens, merges) = BpeTrainer.Train(counts.Words, new()
        {
            VocabularySize = golden.GetProperty("vocab_size").GetInt32(),
            MinFrequency = golden.GetProperty("min_frequency").GetInt32(),
            SpecialTokens = [.. golden.GetProperty("special_tokens").EnumerateArray().Select(e => e.GetString()!)],
            AllBytes = golden.Text("initial_alphabet") != "none",
            MaxTokenLength = golden.TryGetProperty("max_token_length", out var most) ? most.GetInt32() : null,
        });
        Assert.Equal(golden.GetProperty("vocab").EnumerateArray().Select(e => e.GetString()), tokens);
        Assert.Equal(golden.GetProperty("merges").EnumerateArray().Select(e => (e[0].GetString()!, e[1].GetString()!)), merges);
    }
}
