using Dataflow.Model;

namespace Dataflow.Planning.Tests;

/// <summary>Residencies of all shapes for workloads of all shapes.</summary>
internal static class RandomResidencies
{
    /// <summary>Null where the request contradicts itself.</summary>
    /// <param name="seed">What makes it.</param>
    /// <param name="change">Makes another model of the request's; null: it stays.</param>
    public static (Workload Workload, BlockPrograms Programs, Residency Residency)? Make(
        int seed, Func<ModelConfig, ModelConfig>? change = null)
    {
        var random = new Random(seed);
        var request = RandomRequests.Make(seed) with { Rows = random.Next(1, 12) };
        request = change is null ? request : request with { Model = change(request.Model) };
        request = request with { Pins = request.Pins with { Rounds = null, ChunksPerRound = null } };
        int perGroup = request.Pins.ChunkTokens is { } t ? Math.Max(1, (request.Seqlen + t - 1) / t) : 1;
        request = request with { Pins = request.Pins with { ChunksPerRound = perGroup * random.Next(1, 4) } };
        Geometry geometry;
        try
        {
            var all = GeometryRule.Candidates(request);
            geometry = all[random.Next(all.Count)];
        }
        catch (UserErrorException)
        {
            return null;
        }

        var workload = new Workload(request.Model, request.Recipe, geometry, request.Kind);
        var programs = new BlockPrograms(workload.Model, workload.Recipe, geometry);
        return (workload, programs, Residency(random, workload, programs));
    }

    private static Residency Residency(Random random, Workload workload, BlockPrograms programs)
    {
        var geometry = workload.Geometry;
        SaveSet Set() => (SaveSet)random.Next((int)SaveSet.All + 1);
        var travelling = Set();
        SaveSet Alike(SaveSet set) => (set & ~SaveSet.Kv) | (travelling & SaveSet.Kv);
        var chain = new ResidencyChain(
            new MemorySizes(workload, programs),
            travelling,
            random.Next(2) == 0 ? Tier.WholeRound : Tier.Doubled
        );
        var start = chain[random.Next(chain.Count)];
        bool interleaved = random.Next(3) > 0 && chain.Tier == Tier.WholeRound && workload.Model.LayersWithoutBackward == 0;
        int pairs = (workload.Model.LayerCount - workload.Model.LayersWithoutBackward) * geometry.ChunksPerRound;
        return (interleaved ? start.Interleaving(workload) : start) with
        {
            TravellingMore = Alike(travelling | Set()),
            MoreSixteenths = random.Next(2) == 0 ? 0 : random.Next(1, 16),
            ResidentChunks = random.Next(3) switch { 0 => 0, 1 => pairs, _ => random.Next(pairs + 1) },
            GradientsRotate = random.Next(2) == 0,
            ResidentsSpread = random.Next(2) == 0,
            LastRoundKeepsLess = random.Next(2) == 0,
            ResidentSet = random.Next(2) == 0 && geometry.ChunksPerGroup == 1 ? SaveSet.All : Alike(Set()),
        };
    }
}
