using Dataflow.Model;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Text.Tests;

/// <summary>Patterns in Oniguruma's notation find what Oniguruma finds; what is not known here is refused.</summary>
public class RegexPatternTests
{
    // What the library's Split gave for each (isolated pieces, those that were found in brackets).
    [Theory]
    [InlineData(@"\p{N}{1,3}+", "a12345b", "a[12345]b")]
    [InlineData(@"a{2}?", "aaaaa", "[aa][aa]a[]")]
    [InlineData(@"(?i:'s)", "x'\u017F'S's", "x['\u017F]['S]['s]")]
    [InlineData(@"\s+(?!\S)|\s", "a   b ", "a[  ][ ]b[ ]")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?+\p{L}+", " ab-c", "[ ab][-c]")]
    [InlineData(@"(?<=\d)\p{L}+", "1ab2c d", "1[ab]2[c] d")]
    [InlineData(@"(?<!\s)\p{P}", "a. .", "a[.] .")]
    [InlineData(@"x*", "axxb", "[]a[xx]b[]")]
    [InlineData(@"[a-z&&[^c]]+", "abcde", "[ab]c[de]")]
    [InlineData(@"^.|.$", "ab\ncd", "[a][b]\n[c][d]")]
    [InlineData(@"(?>a|ab)c", "abc ac", "abc [ac]")]
    [InlineData(@"\p{Lu}\p{Ll}*+", "AbCdE", "[Ab][Cd][E]")]
    [InlineData(@"a+?b|c??d", "aab cd", "[aab] [cd]")]
    [InlineData(@"\A\u0061|b\z", "ab", "[a][b]")]
    [InlineData(@"\w", "\u00BD", "[\u00BD]")]
    [InlineData(@"[\w]", "\u00BD", "\u00BD")]
    [InlineData(@"\p{Lo}", "\U00020000a", "[\U00020000]a")]
    [InlineData(@".", "\U0001F600\n", "[\U0001F600]\n")]
    [InlineData(@"a(?i)b|C", "aBc", "[aB]c")]
    [InlineData(@"[\x41-\x{43}]", "ABCD", "[A][B][C]D")]
    public void They_find(string pattern, string text, string found)
    {
        var matches = new List<Match>();
        new RegexPattern(pattern).Find(text, matches);
        Assert.Equal(found, string.Concat(matches.Select(m => m.IsMatch ? $"[{text[m.Start..m.End]}]" : text[m.Start..m.End])));
    }

    [Theory]
    [InlineData(@"(a", "does not end")]
    [InlineData(@"a)", "closes nothing")]
    [InlineData(@"[a", "does not end")]
    [InlineData(@"*a", "repetition of nothing")]
    [InlineData(@"(?:a*)*", "can be empty")]
    [InlineData(@"\1", "'\\1'")]
    [InlineData(@"\p{Moon}", "'Moon'")]
    [InlineData(@"[[:alpha:]]", "class in colons")]
    [InlineData(@"(?i)ß", "beyond ASCII")]
    [InlineData(@"(?i:miss)", "'ss' in any case")]
    [InlineData(@"(?x)a", "kind of group")]
    [InlineData(@"(?<=a+)b", "more than one length")]
    [InlineData(@"a{5000}", "repetition that is not")]
    [InlineData(@"\K", "'\\K'")]
    [InlineData(@"\", "no end")]
    public void What_is_not_known_is_refused(string pattern, string named) =>
        Assert.Contains(named, Assert.Throws<UserErrorException>(() => new RegexPattern(pattern)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_word_of_a_million_letters_needs_no_deep_calls()
    {
        var matches = new List<Match>();
        new RegexPattern(@"(?:\p{L}|\d)+\p{L}+?").Find(new string('a', 1_000_000), matches);
        Assert.Single(matches);
    }
}
