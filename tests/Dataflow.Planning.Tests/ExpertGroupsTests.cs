using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning.Tests;

/// <summary>Experts in objects of their own: in less memory than a layer's experts take, and only where these do not fit.</summary>
public class ExpertGroupsTests
{
    [Fact]
    public void The_footprint_is_the_plans_memory_and_the_verifier_has_nothing_to_say()
    {
        int seed = 0;
        foreach (var kind in Enum.GetValues<WorkloadKind>())
        {
            foreach (var (chunks, rounds) in new[] { (1, 1), (2, 1), (4, 2) })
            {
                foreach (int groups in new[] { 1, 4 })
                {
                    var geometry = new Geometry(64, rounds * Math.Max(1, chunks / 2), 32 * (chunks == 1 ? 2 : 1), chunks, rounds, 32)
                    {
                        ExpertGroups = groups,
                    };
                    geometry = kind != WorkloadKind.Generation ? geometry
                        : new Geometry(1, 64, 64, 1, 1, 64) { Cache = new CacheShape(192, 64), ExpertGroups = groups };
                    var workload = new Workload(Mixture(), seed % 2 == 0 ? Recipe.Bf16 : Recipe.Bf16Stochastic, geometry, kind);
                    Assert.Null(GeometryLimits.Fault(geometry, workload.Model));
                    var sizes = new MemorySizes(workload, new BlockPrograms(workload.Model, workload.Recipe, geometry));
                    foreach (var tier in Enum.GetValues<Tier>())
                    {
                        var chain = new ResidencyChain(sizes, (SaveSet)(seed++ % ((int)SaveSet.All + 1)), tier);
                        CheckOrder(chain);
                        foreach (int index in new[] { 0, chain.Count / 3, chain.Count * 2 / 3, chain.Count - 1 })
                        {
                            var want = chain.FootprintAt(index);
                            var plan = Planner.PlanFor(workload, chain[index]);
                            Assert.Equal(want.Device, plan.DevicePeak);
                            Assert.True(plan.HostPeak <= want.Host, $"{kind}: host {plan.HostPeak} above {want.Host}: {chain[index]}");
                            Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, workload.Model));
                        }
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData("qwen3-30b-a3b")]
    [InlineData("gpt-oss-20b")]
    [InlineData("deepseek-v3")]
    public void They_take_a_fraction_of_what_whole_layers_take(string name)
    {
        var model = Models.Load(name);
        var geometry = new Geometry(4096, 1, 1024, 4, 1, 128, 4);
        Bytes Least(Geometry g)
        {
            var workload = new Workload(model, Recipe.Bf16Stochastic, g, WorkloadKind.Training);
            var sizes = new MemorySizes(workload, new BlockPrograms(model, Recipe.Bf16Stochastic, g));
            return new ResidencyChain(sizes, SaveSet.None, Tier.Bare).FootprintAt(0).Device;
        }

        var whole = Least(geometry);
        var sizes = ExpertGroups.CountsOf(model).Select(n => Least(geometry with { ExpertGroups = n })).Prepend(whole).ToList();
        Assert.True(sizes.Zip(sizes.Skip(1)).All(s => s.First > s.Second), string.Join(", ", sizes));
        Assert.True(sizes[^1].Value * 4 < whole.Value, string.Join(", ", sizes));
    }

    [Fact]
    public void Whole_layers_come_first_and_groups_where_these_do_not_fit()
    {
        var roomy = new MemoryBudget(Bytes.FromGiB(4), Bytes.FromGiB(4));
        var experts = new LayerKind(0) { Experts = new ExpertMixture(16, 4, 64) };
        var sparse = Mixture() with { Pattern = new LayerPattern(experts) };
        var request = new PlanRequest(sparse, Recipe.Bf16, WorkloadKind.Training, 64, 2, new GeometryPins(64), roomy);
        TrainingPlan Plan(Bytes device) =>
            ((PlanResult.Feasible)Planner.Plan(request with { Budget = request.Budget with { Device = device } })).Plan;
        Assert.Null(Plan(Bytes.FromGiB(4)).Workload.Geometry.ExpertGroups);
        var least = Planner.Smallest(request).Device!.Value;
        var smallest = Plan(least);
        Assert.NotNull(smallest.Workload.Geometry.ExpertGroups);
        Assert.True(smallest.DevicePeak <= least);

        bool whole = false;
        for (int i = 0; i <= 40; i++)
        {
            var plan = Plan(least + new Bytes(least.Value / 8 * i));
            Assert.False(whole && plan.Workload.Geometry.ExpertGroups is not null, "whole layers fitted in less");
            whole |= plan.Workload.Geometry.ExpertGroups is null;
        }
    }

    [Fact]
    public void What_cannot_be_cut_is_refused_by_name()
    {
        var dense = Models.Load("nano");
        Assert.Equal("the experts of nano cannot lie in 2 groups: it has none", ExpertGroups.Fault(dense, 2));
        Assert.Empty(ExpertGroups.CountsOf(dense));
        var mixture = Mixture();
        Assert.Equal([1, 2, 4], ExpertGroups.CountsOf(mixture));
        Assert.Contains("a layer has 8 of width 32, which are not whole experts", ExpertGroups.Fault(mixture, 8));
        Assert.Contains("give at least 1", ExpertGroups.Fault(mixture, 0));
        var geometry = new Geometry(64, 1, 64, 1, 1, 32) { ExpertGroups = 3 };
        Assert.Contains("cannot lie in 3 groups", GeometryLimits.Fault(geometry, mixture));
    }

    [Fact]
    public void A_schedule_says_the_groups_and_is_read_back()
    {
        var geometry = new Geometry(64, 1, 64, 1, 1, 32) { ExpertGroups = 2 };
        var workload = new Workload(Mixture(), Recipe.Bf16, geometry, WorkloadKind.Training);
        var sizes = new MemorySizes(workload, new BlockPrograms(workload.Model, workload.Recipe, geometry));
        var plan = Planner.PlanFor(workload, new ResidencyChain(sizes, SaveSet.Kv, Tier.Bare)[0]);
        string text = ScheduleText.Print(plan.Schedule);
        var read = ScheduleText.Parse(text);
        Assert.Equal(text, ScheduleText.Print(read));
        Assert.Null(StepFacts.Read(read, workload.Model, out var same));
        Assert.Equal(geometry, same!.Geometry);
        Assert.Contains("W/L01/E3", text, StringComparison.Ordinal);
    }

    private static void CheckOrder(ResidencyChain chain)
    {
        for (int i = 1; i < chain.Count; i++)
        {
            var (before, after) = (chain.FootprintAt(i - 1), chain.FootprintAt(i));
            Assert.True(before.Device <= after.Device && before.Host >= after.Host, $"place {i}: {before} then {after}");
        }
    }

    /// <summary>Layers of experts, with a shared one and without, among dense ones.</summary>
    private static ModelConfig Mixture()
    {
        var nano = Models.Load("nano");
        var dense = new LayerKind(nano.FfnDim);
        return nano with
        {
            LayerCount = 5,
            Pattern = new LayerPattern(
                dense,
                dense with { Experts = new ExpertMixture(8, 2, 32) },
                new LayerKind(0) { Experts = new ExpertMixture(16, 4, 64) { Normalised = true } }
            ),
        };
    }
}
