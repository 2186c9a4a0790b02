using Dataflow.Model;

namespace Dataflow.Planning.Tests;

/// <summary>Which geometries are considered, and in which order.</summary>
public class GeometryRuleTests
{
    [Theory]
    [InlineData("nano", new[] { 1 })]
    [InlineData("8b", new[] { 1, 8 })]
    [InlineData("32b", new[] { 1, 16 })]
    public void Blocks_of_a_large_vocabulary_come_after_all_that_keep_it_whole(string model, int[] blocks)
    {
        var candidates = GeometryRule.Candidates(Request(model, new GeometryPins()));
        Assert.Equal(blocks, candidates.Select(g => g.VocabularyBlocks).Distinct());
        Assert.Equal(candidates.Select(g => g.VocabularyBlocks).Order(), candidates.Select(g => g.VocabularyBlocks));
        int chunks = candidates.Count / blocks.Length;
        Assert.All(candidates.Select((g, i) => (g, i)), c => Assert.Equal(candidates[c.i % chunks].ChunkTokens, c.g.ChunkTokens));
    }

    [Fact]
    public void Pinned_blocks_are_what_is_planned_or_refused()
    {
        Assert.All(GeometryRule.Candidates(Request("8b", new GeometryPins(VocabularyBlocks: 5))), g => Assert.Equal(5, g.VocabularyBlocks));
        var refused = Assert.Throws<UserErrorException>(() =>
            GeometryRule.Candidates(Request("nano", new GeometryPins(VocabularyBlocks: 3)))
        );
        Assert.Contains("give 2", refused.Message, StringComparison.Ordinal);
        Assert.Throws<UserErrorException>(() => GeometryRule.Candidates(Request("nano", new GeometryPins(VocabularyBlocks: 0))));
    }

    [Fact]
    public void A_geometry_that_is_pinned_whole_is_the_only_one()
    {
        // What a resumed run relies on: the same rows and pins from a geometry give that geometry, whatever request it came from.
        int seen = 0;
        for (int seed = 0; seed < 200; seed++)
        {
            var request = RandomRequests.Make(seed);
            foreach (var g in Candidates(request))
            {
                var pinned = request with
                {
                    Rows = g.Rows,
                    Pins = new GeometryPins(g.ChunkTokens, g.ChunksPerRound, g.Rounds, g.VocabularyBlocks),
                };
                Assert.Equal(g, Assert.Single(GeometryRule.Candidates(pinned)));
                seen++;
            }
        }

        Assert.True(seen > 100, $"{seen} geometries");

        static IReadOnlyList<Geometry> Candidates(PlanRequest request)
        {
            try
            {
                return GeometryRule.Candidates(request);
            }
            catch (UserErrorException)
            {
                return []; // its pins contradict each other
            }
        }
    }

    private static PlanRequest Request(string model, GeometryPins pins) =>
        new(Models.Load(model), Recipe.Bf16, WorkloadKind.Training, 8192, null, pins, new MemoryBudget(Bytes.Zero, Bytes.Zero));
}
