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

    [Fact]
    public void Every_save_set_is_read_back_from_its_name()
    {
        for (var set = TensorSet.None; set <= TensorSet.All; set++)
        {
            string name = SaveSets.NameOf(set);
            Assert.True(SaveSets.Parse(name) == set, name);
        }
    }
}
