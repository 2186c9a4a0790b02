using System.Text;
using System.Text.Json;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Text.Tests;

/// <summary>The patterns that are cut by hand cut as the engine of patterns does.</summary>
public class WordSplitterTests
{
    private static readonly string[] s_parts =
    [
        "a", "B", "re", "VE", "'", "'s", "'T", "'ll", "'\u017F", "'Ll", "1", "23", "\u0663", "\u00BD", " ", "  ", "\n", "\r\n", "\t",
        "\u00A0", "\u3000", "\u0085",
        ".", "/", "//", "!?", "\u0001", "\u007F\u0001", "\u3042", "\u30FB", "\u30FC", "\uFF01", "$",
        "\u0301", "\u0940", "\u4E2D", "\u01C5", "\u02B0", "\u20DD", "\U0001D518", "\U0001F600",
        "\U0001D7D8", "\U00016FF0", "\u200D", "\u2028",
    ];

    public static TheoryData<string> Patterns => new(SplitPatterns.ByHand);

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Random_texts_are_cut_alike(string pattern)
    {
        var byHand = SplitPatterns.Of(pattern);
        Assert.IsNotType<RegexPattern>(byHand);
        var byEngine = new RegexPattern(pattern);
        Assert.Equal(byEngine.AtLineStarts, byHand.AtLineStarts);
        foreach (string text in RandomTexts())
        {
            Same(byEngine, byHand, text);
        }
    }

    [Fact]
    public void Texts_are_cut_by_the_patterns_of_DeepSeek_at_once_as_by_one_after_the_other()
    {
        List<PreTokenizer> stages =
            [.. DeepSeekWordSplitter.Patterns.Select(p => new SplitPreTokenizer(new RegexPattern(p), SplitBehavior.Isolated))];
        var joined = Assert.Single(SplitPatterns.Joined(stages));
        Assert.IsType<DeepSeekWordSplitter>(joined.Splitter);
        foreach (string text in RandomTexts().Concat(GoldenTokenizers.Lines("texts.jsonl").Select(l => l.Text("text"))))
        {
            Assert.Equal(TokenizerPipeline.Pieces(text, stages), TokenizerPipeline.Pieces(text, [joined]));
        }
    }

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Golden_texts_are_cut_alike(string pattern)
    {
        var byHand = SplitPatterns.Of(pattern);
        var byEngine = new RegexPattern(pattern);
        foreach (var line in GoldenTokenizers.Lines("texts.jsonl"))
        {
            Same(byEngine, byHand, line.Text("text"));
        }
    }

    private static void Same(RegexPattern expected, IPattern actual, string text)
    {
        var one = new List<Match>();
        var other = new List<Match>();
        expected.Find(text, one);
        actual.Find(text, other);
        Assert.True(one.SequenceEqual(other), $"{JsonSerializer.Serialize(text)}\n{string.Join(' ', one)}\n{string.Join(' ', other)}");
    }

    private static IEnumerable<string> RandomTexts()
    {
        var random = new Random(20261129);
        for (int i = 0; i < 6000; i++)
        {
            var text = new StringBuilder();
            for (int n = random.Next(12); n >= 0; n--)
            {
                text.Append(random.Next(8) == 0 ? RandomRune(random).ToString() : s_parts[random.Next(s_parts.Length)]);
            }

            yield return text.ToString();
        }
    }

    private static Rune RandomRune(Random random)
    {
        while (true)
        {
            int value = random.Next(random.Next(3) == 0 ? 0x20000 : 0x3000);
            if (Rune.IsValid(value))
            {
                return new(value);
            }
        }
    }
}
