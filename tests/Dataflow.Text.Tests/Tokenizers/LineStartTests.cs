using System.Text;
using System.Text.Json;
using Dataflow.Text.Tokenizers;
using NormalizationForm = Dataflow.Text.Tokenizers.NormalizationForm;

namespace Dataflow.Text.Tests;

/// <summary>A text that is cut at the first letters of lines has the ids of its parts, wherever a tokenizer says so.</summary>
[Trait("Soak", "true")]
public class LineStartTests
{
    private static readonly int s_texts = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1" ? 5000 : 60;

    private static readonly string[] s_parts =
    [
        "a", "the", "The", "B", "re", "VE", "'", "'s", "'T", "'ll", "can't", "1", "23", "4567", "\u0663", "\u00BD", ".", "/", "//", "!?",
        "-", "_", "<", ">", "[", "\u0301", "e\u0301", "\u00E9", "\u0940", "\u4E2D", "\u3042", "\u01C5", "\u02B0", "\u20DD", "\u00A8",
        "\uFB01", "\u212B", "\U0001D518", "\U0001F600", "\u200D", "\u0001", "\uFEFF", "\u2581", "\u0120", "\u010A", "<0x0A>", "<s>",
        "</s>", "<|endoftext|>", "<|im_end|>",
    ];

    private static readonly string[] s_between =
        ["", "", " ", " ", " ", "  ", "\n", "\n", "\n", "\n\n", " \n", "\n ", "\t", "\r\n", "\u00A0", "\u3000", "\u2028", "\u0085"];

    // A token that takes the white space behind it along, with something put before what follows; a space put before what follows a token;
    // a map or a stripping of characters; scores that are summed over the whole text; a line feed that joins other unknown characters.
    private static readonly HashSet<string> s_not =
    [
        "added-mixed", "added-phi3", "gpt2-prefix-space", "normalizers", "split-behaviours", "spm-unigram", "unigram-json", "unk-fused",
        "unk-single",
    ];

    public static TheoryData<string> Jsons => GoldenTokenizers.CasesWith("tokenizer.json");

    public static TheoryData<string> Models => GoldenTokenizers.CasesWith("tokenizer.model");

    [Theory]
    [MemberData(nameof(Jsons))]
    public void Parts_of_a_text_have_its_ids(string name) =>
        Assert.Equal(!s_not.Contains(name), Check(GoldenTokenizers.Tokenizer(name)));

    [Theory]
    [MemberData(nameof(Models))]
    public void Parts_of_a_text_have_its_ids_by_SentencePiece(string name) =>
        Assert.Equal(
            name == "spm-bpe", Check(TextTokenizer.FromSentencePiece(GoldenTokenizers.File(name + "/tokenizer.model"), false, false)));

    // Unicode's forms, and small letters, leave no white space at the end of what is none: what stands before the line feed stays so.
    [Fact]
    public void What_is_no_white_space_ends_in_none_once_it_is_normalized()
    {
        Func<string, string>[] all =
        [
            NormalizationForm.C.Apply, NormalizationForm.D.Apply, NormalizationForm.CompatibleC.Apply, NormalizationForm.CompatibleD.Apply,
            MapNormalizer.Lowercase.Apply,
        ];
        foreach (int codePoint in Enumerable.Range(0, CodePoints.Count).Where(c => Rune.IsValid(c) && !CodePoints.IsWhiteSpace(c)))
        {
            string text = char.ConvertFromUtf32(codePoint);
            Assert.All(all, normalize => Assert.False(char.IsWhiteSpace(normalize(text)[^1]), $"U+{codePoint:X4}"));
        }
    }

    [Theory]
    [InlineData(@"\s+(?!\S)|\s+|\S+", "Cuts")]
    [InlineData(@"\n+", "Cuts")]
    [InlineData(@"\p{N}{1,3}", "Passes")]
    [InlineData(@"\A_", "Passes")]
    [InlineData(@"\A_|\n", "Unknown")]
    [InlineData(@"\s+(?!\S)", "Unknown")]
    [InlineData(@"\s?[a-z]+", "Unknown")]
    [InlineData(@"\n(?=[A-Z])|.", "Unknown")]
    [InlineData(@"(?<=\n)[A-Z]|\n", "Unknown")]
    [InlineData(@"\b\w+|\n", "Unknown")]
    [InlineData(@"(?!ab)\S+|\s+", "Unknown")]
    [InlineData(@"[0-9]*", "Unknown")]
    [InlineData(@"END\n(?!\S)|\S+|\s+", "Unknown")]
    [InlineData(@"\s+(?![a-m])|\s+|\S+", "Unknown")]
    [InlineData(@"\n+$|\n|.", "Unknown")]
    public void A_pattern_cuts_there_passes_by_or_is_not_known_to(string pattern, string effect) =>
        Assert.Equal(effect, new RegexPattern(pattern).AtLineStarts.ToString());

    [Fact]
    public void A_part_that_continues_a_text_needs_a_tokenizer_that_allows_it_and_a_letter()
    {
        var not = GoldenTokenizers.Tokenizer("normalizers");
        Assert.Throws<InvalidOperationException>(() => not.EncodeIds("The", true, []));
        var llama = GoldenTokenizers.Tokenizer("llama2");
        Assert.Throws<ArgumentException>(() => llama.EncodeIds(" The", true, []));
        Assert.Throws<ArgumentException>(() => llama.EncodeIds("", true, []));
        Assert.False(TextTokenizer.IsLineStart("a \nThe", 3));
        Assert.False(TextTokenizer.IsLineStart("\nThe", 1));
        Assert.True(TextTokenizer.IsLineStart("a\nThe", 2));
    }

    /// <summary>Cuts random texts, where a tokenizer allows it; returns whether it does.</summary>
    internal static bool Check(TextTokenizer tokenizer)
    {
        if (!tokenizer.CutsAtLineStarts)
        {
            return false;
        }

        var tokens = Enumerable.Range(0, tokenizer.IdCount).Select(tokenizer.TokenOf).OfType<string>().ToList();
        var random = new Random(20261130);
        for (int i = 0; i < s_texts; i++)
        {
            CheckText(tokenizer, Text(random, tokens), random);
        }

        return true;
    }

    private static void CheckText(TextTokenizer tokenizer, string text, Random random)
    {
        var joined = new List<int>();
        int start = 0;
        for (int at = 1; at <= text.Length; at++)
        {
            if (at == text.Length || (TextTokenizer.IsLineStart(text, at) && random.Next(3) > 0))
            {
                tokenizer.EncodeIds(text[start..at], start > 0, joined);
                start = at;
            }
        }

        var whole = tokenizer.EncodeIds(text, false);
        Assert.True(
            whole.SequenceEqual(joined),
            $"{JsonSerializer.Serialize(text)}\nwhole  {string.Join(' ', whole)}\njoined {string.Join(' ', joined)}");
    }

    private static string Text(Random random, List<string> tokens)
    {
        var text = new StringBuilder();
        for (int n = random.Next(4, 40); n >= 0; n--)
        {
            text.Append(random.Next(6) == 0 ? Token(random, tokens) : s_parts[random.Next(s_parts.Length)]);
            text.Append(random.Next(4) == 0 ? "\nThe" : s_between[random.Next(s_between.Length)]);
        }

        return text.ToString();
    }

    // Every other one of those that are added to vocabularies: at their ends.
    private static string Token(Random random, List<string> tokens) => random.Next(4) switch
    {
        0 => tokens[random.Next(Math.Min(8, tokens.Count))],
        1 => tokens[^(1 + random.Next(Math.Min(24, tokens.Count)))],
        _ => tokens[random.Next(tokens.Count)],
    };
}
