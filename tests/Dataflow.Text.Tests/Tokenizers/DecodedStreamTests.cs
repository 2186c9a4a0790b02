namespace Dataflow.Text.Tests;

/// <summary>Ids become text piece by piece, as the golden streams define.</summary>
public class DecodedStreamTests
{
    [Fact]
    public void Pieces_are_those_of_the_golden_streams()
    {
        int held = 0;
        foreach (var line in GoldenTokenizers.Lines("streaming/expected.jsonl"))
        {
            var stream = GoldenTokenizers.Tokenizer(line.Text("tokenizer")).Stream(line.GetProperty("skip_special_tokens").GetBoolean());
            string[] pieces = [.. line.Numbers("ids").Select(stream.Next)];
            string rest = stream.Finish();
            Assert.DoesNotContain(pieces.SkipLast(1), p => p.EndsWith('\uFFFD'));
            if (line.GetProperty("pieces").ValueKind != System.Text.Json.JsonValueKind.Null)
            {
                Assert.Equal(line.GetProperty("pieces").EnumerateArray().Select(e => e.GetString()), pieces);
                Assert.Equal(line.Text("rest"), rest);
                held++;
            }
        }

        Assert.True(held > 100, $"{held} streams");
    }

    [Theory]
    [InlineData("llama3")]
    [InlineData("llama2")]
    [InlineData("gemma")]
    [InlineData("metaspace-always-split")]
    [InlineData("metaspace-first-split")]
    [InlineData("unigram-json")]
    [InlineData("unk-single")]
    [InlineData("missing-bytes")]
    [InlineData("added-phi3")]
    public void Long_streams_show_what_their_beginnings_decode_to(string name)
    {
        var tokenizer = GoldenTokenizers.Tokenizer(name);
        foreach (bool skips in new[] { false, true })
        {
            var stream = tokenizer.Stream(skips);
            var ids = new List<int>();
            string shown = "";
            string expected = "";
            foreach (int id in GoldenTokenizers.Lines($"{name}/expected.jsonl").Take(120).SelectMany(l => l.Numbers("ids_special")))
            {
                ids.Add(id);
                shown += stream.Next(id);
                string stable = tokenizer.Decode(ids, skips).TrimEnd('\uFFFD');
                expected = stable.StartsWith(expected, StringComparison.Ordinal) ? stable : expected;
                Assert.Equal(expected.Length, shown.Length);
            }

            Assert.Equal(expected, shown);
            Assert.Equal(tokenizer.Decode(ids, skips), shown + stream.Finish());
        }
    }
}
