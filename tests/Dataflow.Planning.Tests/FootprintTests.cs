using Dataflow.Model;

namespace Dataflow.Planning.Tests;

/// <summary>Memory is known before anything is lowered, and only grows or shrinks the way the search relies on.</summary>
[Trait("Slow", "true")]
public class FootprintTests
{
    [Fact]
    public void The_footprint_is_the_plans_memory()
    {
        var exact = new Dictionary<Tier, int>();
        var all = new Dictionary<Tier, int>();
        for (int seed = 0; seed < 120; seed++)
        {
            foreach (var (workload, tier, chain) in Chains(seed))
            {
                var random = new Random(seed);
                for (int i = 0; i < 3; i++)
                {
                    int index = random.Next(chain.Count);
                    var want = chain.FootprintAt(index);
                    var plan = Planner.PlanFor(workload, chain[index]);
                    Assert.Equal(want.Device, plan.DevicePeak);
                    Assert.True(plan.HostPeak <= want.Host, $"seed {seed}: host {plan.HostPeak} above {want.Host}: {chain[index]}");
                    if (chain[index].WindowSegments > 1)
                    {
                        // What is not exact is that of whole windows in as many chunks: streams and their gradients.
                        AssertWindowsAreExact(plan);
                        continue;
                    }

                    if (workload.Kind == WorkloadKind.ClippedTraining || workload.Model is not { Pattern: null, Frozen: null })
                    {
                        // A third pass leaves more on the device than the bound assumes; homes of layers that differ are counted as the
                        // largest, and what is frozen leaves others longer on the device.
                        continue;
                    }

                    exact[tier] = exact.GetValueOrDefault(tier) + (plan.HostPeak == want.Host ? 1 : 0);
                    all[tier] = all.GetValueOrDefault(tier) + 1;
                }
            }
        }

        Assert.All(Enum.GetValues<Tier>(), t =>
            Assert.True(exact[t] * 100 > all[t] * 85, $"{t}: host memory exact in {exact[t]} of {all[t]}")
        );
    }

    [Fact]
    public void Along_a_chain_device_memory_never_shrinks_and_host_memory_never_grows()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            foreach (var (_, _, chain) in Chains(seed))
            {
                for (int i = 1; i < chain.Count; i++)
                {
                    var (before, after) = (chain.FootprintAt(i - 1), chain.FootprintAt(i));
                    Assert.True(
                        before.Device <= after.Device && before.Host >= after.Host,
                        $"seed {seed}, place {i}: {before} then {after}"
                    );
                }
            }
        }
    }

    private static void AssertWindowsAreExact(TrainingPlan plan)
    {
        var programs = new BlockPrograms(plan.Workload.Model, plan.Workload.Recipe, plan.Workload.Geometry);
        var sized = new SizedResidency(plan.Workload, programs, plan.Residency);
        int Slots(ObjectRow row) => plan.Pools.Single(p => p.Name == row.PoolName(plan.Workload.Model)).SlotCount;
        Bytes Homes(ObjectRow row) => row.Homes!(sized, Slots(row), row.SlotLengthIn!(sized));
        var homes = plan.Schedule.Slots.Where(s =>
            s.Name.StartsWith("home/KV/", StringComparison.Ordinal) || s.Name.StartsWith("home/dKV/", StringComparison.Ordinal)
        );
        var counted = Homes(ObjectFamilies.Windows) + Homes(ObjectFamilies.GradWindows);
        var taken = homes.Aggregate(Bytes.Zero, (sum, s) => sum + s.Length);
        if (plan.Workload.Model.Kinds.Any(k => k.Window is not null) || plan.Workload.Model.LayersWithoutBackward > 0)
        {
            // Where a layer has an attention window, or no backward passes it, a segment may have had its last use before its slot is
            // wanted for another.
            Assert.True(taken <= counted, $"{taken} of homes, and {counted} are counted");
        }
        else
        {
            Assert.Equal(counted, taken);
        }
    }

    private static IEnumerable<(Workload Workload, Tier Tier, ResidencyChain Chain)> Chains(int seed)
    {
        var request = RandomRequests.Make(seed);
        var random = new Random(seed);
        Geometry geometry;
        try
        {
            var all = GeometryRule.Candidates(request);
            geometry = all[random.Next(all.Count)];
        }
        catch (UserErrorException)
        {
            yield break;
        }

        var workload = new Workload(request.Model, request.Recipe, geometry, request.Kind);
        var sizes = new MemorySizes(workload, new BlockPrograms(workload.Model, workload.Recipe, geometry));
        var saved = (SaveSet)random.Next((int)SaveSet.All + 1);
        foreach (var tier in Enum.GetValues<Tier>())
        {
            yield return (workload, tier, new ResidencyChain(sizes, saved, tier));
            var kept = saved | SaveSet.Kv | SaveSet.Attention;
            foreach (int segments in SegmentRule.Counts(workload, kept))
            {
                yield return (workload, tier, new ResidencyChain(sizes, kept, tier, segments));
            }
        }
    }
}
