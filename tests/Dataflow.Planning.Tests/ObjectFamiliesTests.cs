using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning.Tests;

/// <summary>What the rows of all families say is what programs consist of.</summary>
public class ObjectFamiliesTests
{
    [Fact]
    public void Objects_have_ids_fit_their_slots_and_share_homes_of_their_family()
    {
        var seen = new HashSet<ObjectFamily>();
        for (int seed = 0; seed < 60; seed++)
        {
            var request = RandomRequests.Make(seed);
            Geometry geometry;
            try
            {
                var all = GeometryRule.Candidates(request);
                geometry = all[seed % all.Count];
            }
            catch (UserErrorException)
            {
                continue;
            }

            Check(seed, request, geometry, seen);
            var cache = geometry with
            {
                Seqlen = 1,
                Rows = geometry.ChunkTokens,
                ChunksPerRound = 1,
                Rounds = 1,
                Cache = new CacheShape(3 * geometry.ChunkTokens, geometry.HeadTokens),
                Pairs = false,
            };
            Check(seed, request with { Kind = WorkloadKind.Generation }, cache, seen);
            var experts = new LayerKind(0) { Experts = new ExpertMixture(8, 2, 32) };
            var mixture = request.Model with { Pattern = new LayerPattern(experts), BalanceWeight = 0.01, Frozen = null, Adapter = null };
            Check(seed, request with { Model = mixture }, geometry, seen);
            var taking = request with
            {
                Model = request.Model with { LayerInputDim = 4, Frozen = null, Adapter = null },
                Pairs = false,
            };
            Check(seed, taking, GeometryRule.Candidates(taking)[^1], seen);
        }

        Assert.Equal(ObjectFamily.All.ToHashSet(), seen);

        static void Check(int seed, PlanRequest request, Geometry geometry, HashSet<ObjectFamily> seen)
        {
            var workload = new Workload(request.Model, request.Recipe, geometry, request.Kind);
            var sizes = new MemorySizes(workload, new BlockPrograms(workload.Model, workload.Recipe, geometry));
            var chain = new ResidencyChain(sizes, (SaveSet)(seed % ((int)SaveSet.All + 1)), Tier.Doubled);
            var residency = chain[seed * 7 % chain.Count];
            var program = StepLowering.Lower(workload, sizes.Programs, residency);
            Assert.Equal(sizes.Of(residency).Device, program.Pools.Aggregate(Bytes.Zero, (sum, p) => sum + p.Total));
            foreach (var item in program.Objects)
            {
                Assert.True(ObjectId.TryParse(item.Name, out _) && ObjectId.TryParse(item.Home, out _), item.Name);
                Assert.Same(ObjectFamily.Of(item.Name), ObjectFamily.Of(item.Home));
                Assert.True(item.Length <= program.Pools[item.Pool].SlotLength, $"seed {seed}: {item}");
                seen.Add(ObjectFamily.Of(item.Name)!);
            }
        }
    }

    [Fact]
    public void Pools_have_names_of_their_own()
    {
        foreach (string name in new[] { "8b", "nano" })
        {
            var whole = Models.Load(name);
            var apart = whole with { Pattern = new LayerPattern(new LayerKind(whole.FfnDim, FfnApart: true)) };
            foreach (var model in new[] { whole, apart })
            {
                var rows = ObjectFamilies.Of(new BlockPrograms(model, Recipe.Bf16, new Geometry(64, 1, 32, 2, 1, 16)));
                Assert.Equal(model == whole ? 25 : 27, rows.Select(r => r.PoolOf(model, false)).Distinct().Count());
            }
        }
    }
}
