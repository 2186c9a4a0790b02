using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning.Tests;

/// <summary>
/// Steps without a backward: evaluations, and steps that continue sequences. Their memory is known before they are lowered, the verifier
/// has nothing to say of them, and what has room stays.
/// </summary>
[Trait("Slow", "true")]
public class ForwardOnlyTests
{
    [Theory]
    [InlineData(WorkloadKind.Evaluation)]
    [InlineData(WorkloadKind.Generation)]
    public void The_footprint_is_the_plans_memory(WorkloadKind kind)
    {
        int near = 0, all = 0;
        for (int seed = 0; seed < 80; seed++)
        {
            if (Workload(seed, kind) is not { } workload)
            {
                continue;
            }

            var sizes = new MemorySizes(workload, new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry));
            foreach (var tier in Enum.GetValues<Tier>())
            {
                var chain = new ResidencyChain(sizes, SaveSet.None, tier);
                for (int i = 0; i < chain.Count; i++)
                {
                    var (want, plan) = (chain.FootprintAt(i), Planner.PlanFor(workload, chain[i]));
                    Assert.Equal(want.Device, plan.DevicePeak);
                    Assert.True(plan.HostPeak <= want.Host, $"seed {seed}: host {plan.HostPeak} above {want.Host}: {chain[i]}");
                    Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, workload.Model));
                    if (workload.Model.Pattern is null)
                    {
                        // Homes of layers that differ are counted as the largest.
                        near += plan.HostPeak.Value >= want.Host.Value * 0.9 ? 1 : 0;
                        all++;
                    }

                    if (i > 0)
                    {
                        var before = chain.FootprintAt(i - 1);
                        Assert.True(before.Device <= want.Device && before.Host >= want.Host, $"seed {seed}, place {i}: {before}, {want}");
                    }
                }
            }
        }

        Assert.True(near * 100 > all * 90, $"host memory within a tenth in {near} of {all}");
    }

    /// <summary>Of what takes turns every byte passes once a step, and what is kept of sequences goes back.</summary>
    [Fact]
    public void A_step_fetches_what_does_not_stay_once()
    {
        var model = Models.Load("8b");
        var geometry = new Geometry(1, 64, 64, 1, 1, 8) { Cache = new CacheShape(4096, 8) };
        var workload = new Workload(model, Recipe.Bf16, geometry, WorkloadKind.Generation);
        var sizes = new MemorySizes(workload, new BlockPrograms(model, workload.Recipe, geometry));
        var chain = new ResidencyChain(sizes, SaveSet.None, Tier.Doubled);
        for (int i = 0; i < chain.Count; i += 5)
        {
            var plan = Planner.PlanFor(workload, chain[i]);
            foreach (var (family, slots, alsoSaved) in new[]
            {
                (ObjectFamily.Weights, chain[i].WeightSlots, false), (ObjectFamily.Windows, chain[i].WindowSlots, true),
            })
            {
                int travelling = slots >= model.LayerCount ? 0 : model.LayerCount - Math.Max(0, slots - 2);
                int[] counts =
                [
                    .. new[] { OpKind.Fetch, OpKind.Save }.Select(kind => plan.Schedule.Ops.Count(op =>
                        op.Kind == kind
                        && plan.Schedule.Objects[op.Accesses[0].Object].Id is { Layer: not null } id
                        && id.Family == family)),
                ];
                Assert.Equal([travelling, alsoSaved ? travelling : 0], counts);
            }
        }
    }

    [Fact]
    public void More_memory_keeps_more_and_the_least_is_said()
    {
        var model = Models.Load("8b");
        var budget = new MemoryBudget(Bytes.FromGiB(64), Bytes.FromGiB(8));
        var request = new PlanRequest(model, Recipe.Bf16, WorkloadKind.Generation, 512, null, new GeometryPins(), budget)
        {
            Cache = new CacheRequest(1, 4096, 1),
        };
        int before = 0;
        foreach (int gib in new[] { 6, 8, 12, 16, 20 })
        {
            var plan = Plan(request with { Budget = request.Budget with { Device = Bytes.FromGiB(gib) } });
            Assert.True(plan.Residency.WeightSlots >= before && plan.DevicePeak <= Bytes.FromGiB(gib));
            before = plan.Residency.WeightSlots;
        }

        Assert.Equal(model.LayerCount, before);
        var (device, _) = Planner.Smallest(request);
        Assert.IsType<PlanResult.Infeasible>(
            Planner.Plan(request with { Budget = request.Budget with { Device = new Bytes(device!.Value.Value - 1) } }));
        Assert.True(Plan(request with { Budget = request.Budget with { Device = device!.Value } }).DevicePeak <= device);
    }

    private static TrainingPlan Plan(PlanRequest request) =>
        Assert.IsType<PlanResult.Feasible>(Planner.Plan(request)).Plan;

    private static Workload? Workload(int seed, WorkloadKind kind)
    {
        var request = RandomRequests.Make(seed) with { Kind = kind, SaveSet = null };
        try
        {
            if (kind == WorkloadKind.Generation)
            {
                var random = new Random(seed);
                request = request with
                {
                    Seqlen = random.Next(32, 200),
                    Rows = null,
                    Pins = new GeometryPins(VocabularyBlocks: request.Pins.VocabularyBlocks),
                    Cache = new CacheRequest(random.Next(1, 6), random.Next(1, 200), random.Next(1, 12)),
                };
            }

            var all = GeometryRule.Candidates(request);
            return new Workload(request.Model, request.Recipe, all[seed % all.Count], kind);
        }
        catch (UserErrorException)
        {
            return null;
        }
    }
}
