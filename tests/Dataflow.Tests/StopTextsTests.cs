namespace Dataflow.Tests;

/// <summary>A continuation's text ends before the first of its stop texts, however its pieces cut them.</summary>
public class StopTextsTests
{
    [Theory]
    [InlineData("hello world", new[] { "wor" }, "hello ", true)]
    [InlineData("aaab", new[] { "aab" }, "a", true)]
    [InlineData("abcabd", new[] { "abd", "cab" }, "ab", true)]
    [InlineData("no stop here", new[] { "stopp", "heree" }, "no stop here", false)]
    [InlineData("", new[] { "x" }, "", false)]
    public void It_ends_there_in_any_pieces(string text, string[] stops, string want, bool reached)
    {
        for (int size = 1; size <= Math.Max(1, text.Length); size++)
        {
            var until = new StopTexts(stops);
            string got = "";
            for (int at = 0; at < text.Length && !until.IsReached; at += size)
            {
                got += until.Next(text[at..Math.Min(text.Length, at + size)]);
                Assert.StartsWith(got, want); // nothing is shown that is taken back
            }

            got += until.IsReached ? "" : until.Finish();
            Assert.Equal((want, reached), (got, until.IsReached));
        }
    }
}
