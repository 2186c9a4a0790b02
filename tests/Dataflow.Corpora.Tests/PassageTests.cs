using Dataflow.Corpora;

namespace Dataflow.Corpora.Tests;

/// <summary>Where a passage stands, as messages say it.</summary>
public sealed class PassageTests
{
    [Fact]
    public void A_place_names_the_file_and_the_line() =>
        Assert.Equal("data.jsonl, line 17", new PassagePlace("data.jsonl", "line", 17).ToString());
}
