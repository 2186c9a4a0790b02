using System.Text.Json;

namespace Dataflow.Tests;

/// <summary>The pairs of answers of `bench/preferences.sh`: as many as it says, none twice, none held out and trained.</summary>
public sealed class PreferenceDataTests
{
    [Fact]
    public void There_are_a_hundred_pairs_and_those_that_are_held_out_are_others()
    {
        Pair[] trained = Read("train.jsonl"), heldOut = Read("held-out.jsonl");
        Assert.Equal((100, 36), (trained.Length, heldOut.Length));
        Pair[] all = [.. trained, .. heldOut];
        Assert.Equal(all.Length, all.Select(p => p.Prompt).Distinct().Count());
        Assert.Empty(trained.Select(p => p.Chosen).Intersect(heldOut.Select(p => p.Chosen)));
        Assert.All(all, p => Assert.NotEqual(p.Chosen, p.Rejected));
    }

    private static Pair[] Read(string name) =>
        [
            .. File.ReadLines(Path.Combine(Locations.Root!, "data", "preferences", name)).Select(line =>
            {
                var pair = JsonDocument.Parse(line).RootElement;
                string Of(string key) => pair.GetProperty(key)[0].GetProperty("content").GetString()!;
                return new Pair(Of("prompt"), Of("chosen"), Of("rejected"));
            }),
        ];

    private sealed record Pair(string Prompt, string Chosen, string Rejected);
}
