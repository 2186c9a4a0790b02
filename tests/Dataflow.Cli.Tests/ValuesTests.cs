using Dataflow.Model;

namespace Dataflow.Cli.Tests;

/// <summary>Sizes and save sets as text.</summary>
public class ValuesTests
{
    [Theory]
    [InlineData("1", 1L << 30)]
    [InlineData("0.5", 1L << 29)]
    [InlineData("24GiB", 24L << 30)]
    [InlineData("24gib", 24L << 30)]
    [InlineData("24 GB", 24_000_000_000)]
    [InlineData("512MiB", 512L << 20)]
    [InlineData("1KB", 1000)]
    [InlineData("7B", 7)]
    [InlineData("1e-3TiB", 1099511627)]
    public void A_size_is_a_number_and_a_unit(string text, long bytes) => Assert.Equal(bytes, Values.Size(text).Value);

    [Theory]
    [InlineData("4096", 4096)]
    [InlineData("4k", 4096)]
    [InlineData("8K", 8192)]
    [InlineData("1M", 1048576)]
    [InlineData("0.5m", 524288)]
    [InlineData("1.5k", 1536)]
    public void Tokens_take_k_and_M(string text, long tokens) => Assert.Equal(tokens, Values.Tokens(text, 1, 1 << 24));

    [Theory]
    [InlineData("k", "no whole number of tokens")]
    [InlineData("4kk", "no whole number of tokens")]
    [InlineData("0.3k", "no whole number of tokens")]
    [InlineData("4G", "no whole number of tokens")]
    [InlineData("99999999999999999999999999999M", "no whole number of tokens")]
    [InlineData("17M", "at most 16777216")]
    [InlineData("-1k", "at least 1")]
    public void Other_tokens_are_refused(string text, string part) =>
        Assert.Contains(part, Assert.Throws<UserErrorException>(() => Values.Tokens(text, 1, 1 << 24)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(107_374_183, "0.100 GiB")]
    [InlineData(107_374_182, "102.40 MiB")]
    [InlineData(3L << 30, "3.000 GiB")]
    [InlineData(1L << 20, "1.00 MiB")]
    [InlineData(2000, "2.0 KiB")]
    public void Memory_is_read_in_GiB_from_a_tenth_of_one_on(long bytes, string text) => Assert.Equal(text, new Bytes(bytes).ToString());

    [Fact]
    public void What_is_rounded_up_is_enough_when_it_is_given_back()
    {
        var random = new Random(7);
        for (int i = 0; i < 10_000; i++)
        {
            var size = new Bytes((long)Math.Exp(random.NextDouble() * Math.Log(1L << 45)) + 1);
            var again = Values.Size(size.RoundedUp());
            Assert.InRange(again.Value - size.Value, 0, Math.Max(1 << 20, (1L << 30) / 1000));
        }
    }

    [Fact]
    public void Every_save_set_is_read_back_from_its_name()
    {
        for (var set = SaveSet.None; set <= SaveSet.All; set++)
        {
            string name = SaveSets.NameOf(set);
            Assert.True(SaveSets.Parse(name) == set, name);
        }
    }
}
