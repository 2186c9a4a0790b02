using System.Text;

namespace Dataflow.Cli.Tests;

/// <summary>Messages are one line of bounded length, and nothing in a name reaches a terminal as a command.</summary>
public class SentenceTests
{
    [Fact]
    public void A_name_of_ninety_megabytes_is_not_printed_whole()
    {
        string shown = Sentence.Of($"error: missing: {new string('t', 90_000_000)}; give the right model");
        Assert.InRange(shown.Length, 1000, 2100);
        Assert.StartsWith("error: missing: ttt", shown, StringComparison.Ordinal);
        Assert.EndsWith("; give the right model", shown, StringComparison.Ordinal);
        Assert.Contains("characters more", shown, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a\u001b[31mred", "a?[31mred")]
    [InlineData("bell\a null\0 delete\u007f csi\u009b31m", "bell? null? delete? csi?31m")]
    [InlineData("one\ntwo\r\nthree", "one two three")]
    [InlineData("turned\u202eround\u2066", "turned?round?")]
    [InlineData("Grüße, 模型 and 🙂", "Grüße, 模型 and 🙂")]
    public void What_a_terminal_would_obey_is_taken_out(string message, string shown) => Assert.Equal(shown, Sentence.Of(message));

    /// <summary>Apart: an attribute cannot hold half of a pair.</summary>
    [Fact]
    public void Half_of_a_pair_is_taken_out() => Assert.Equal("half ? pair", Sentence.Of($"half {(char)0xD800} pair"));

    [Fact]
    public void Outputs_pass_text_alone()
    {
        using var kept = new MemoryStream();
        using (var output = new StreamWriter(new PlainOutput(kept), new UTF8Encoding(false)))
        {
            output.Write("tab\t line\n progress\r \u001b]0;title\a Ä\u009b° ü");
        }

        Assert.Equal("tab\t line\n progress\r ?]0;title? Ä??° ü", Encoding.UTF8.GetString(kept.ToArray()));
    }
}
