using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Planning.Tests;

/// <summary>What bounds a step, what memory would bring, and why candidates lost.</summary>
public class PlanExplanationTests
{
    private static readonly PlanRequest Request = new(
        Models.Load("nano"),
        Recipe.Fp32,
        WorkloadKind.Training,
        64,
        16,
        new GeometryPins(ChunkTokens: 128),
        new MemoryBudget(new Bytes(64 << 20), new Bytes(4 << 20))
    );

    private static CostModel Machine { get; } =
        new(HardwareProfileReader.Parse(Checkout.Read("profiling", "hardware", "cpu.json"), "cpu"), DType.Float32);

    private static PlanExplanation Step(double recomputed, params (LinkDirection Direction, double Share)[] exposed) =>
        new(
            1000,
            1 - exposed.Sum(e => e.Share),
            recomputed,
            [.. exposed.Select(e => new ExposedCopies("parameters", e.Direction, (long)(e.Share * 1e9), 1))],
            exposed.Sum(e => e.Share),
            [0.95, 0.5],
            1200
        );

    private static PlanExplanation With(PlanExplanation step, double device, double host) =>
        step with
        {
            MoreDevice = new MemoryGain(Bytes.FromGiB(1), 1000 * (1 + device), device),
            MoreHost = new MemoryGain(Bytes.FromGiB(1), 1000 * (1 + host), host),
        };

    [Fact]
    public void What_costs_most_bounds_the_step()
    {
        var (to, from) = ((LinkDirection.HostToDevice, 0.2), (LinkDirection.DeviceToHost, 0.2));
        Assert.Equal(StepBound.Compute, Step(0).Bound);
        Assert.Equal(StepBound.Compute, With(Step(0.005, (LinkDirection.DeviceToHost, 0.005)), 1, 1).Bound);

        // Recomputation: the memory that would spare it; where none at hand does, it is work.
        Assert.Equal(StepBound.DeviceMemory, Step(0.15).Bound);
        Assert.Equal(StepBound.DeviceMemory, With(Step(0.15), 0.05, 0.02).Bound);
        Assert.Equal(StepBound.HostMemory, With(Step(0.15), 0, 0.02).Bound);
        Assert.Equal(StepBound.Compute, With(Step(0.15), 0, 0).Bound);

        // Waits: the direction that is awaited, if it is full or memory would not help.
        Assert.Equal(StepBound.HostToDevice, With(Step(0.15, to), 0.5, 0).Bound);
        Assert.Equal(StepBound.HostToDevice, With(Step(0, to, (LinkDirection.DeviceToHost, 0.1)), 0, 0).Bound);
        Assert.Equal(StepBound.HostToDevice, Step(0, from).Bound); // the awaited direction rests, the other one is full
        Assert.Equal(StepBound.DeviceToHost, (Step(0, from) with { LinkShares = [0.6, 0.6] }).Bound);
        Assert.Equal(StepBound.HostMemory, With(Step(0, to) with { LinkShares = [0.6, 0.6] }, 0.01, 0.04).Bound);
    }

    [Fact]
    public void Shares_and_floor_follow_from_the_timeline()
    {
        var plan = Assert
            .IsType<PlanResult.Feasible>(
                Planner.Plan(Request with { SaveSet = SaveSet.Kv, Budget = new MemoryBudget(new Bytes(64 << 20), new Bytes(4 << 20)) })
            )
            .Plan;
        var costs = StepCosts.Of(plan.Schedule, plan.Workload, Machine);
        Assert.Equal(OpCosts.Of(plan.Schedule, plan.Workload, Machine), costs.Ops.ToArray());
        Assert.True(costs.Flops >= plan.Workload.Model.ModelFlops(64) * 16);
        var timeline = Simulator.Steady(plan.Schedule, costs.Ops.AsSpan(), Machine.Links);
        var why = PlanExplanation.Of(plan.Schedule, timeline, costs.Ops.AsSpan(), plan.Workload.Geometry.TokensPerStep);
        long compute = timeline.Busy(plan.Schedule, 0);
        Assert.Equal((double)compute / timeline.StepNanoseconds, why.ComputeShare, 1e-12);
        long stalled = ComputeStalls.Of(plan.Schedule, timeline).Where(s => s.Kind is not null).Sum(s => s.Nanoseconds);
        Assert.Equal((double)stalled / timeline.StepNanoseconds, why.ExposedShare, 1e-12);
        Assert.Equal(1024e9 / (compute * (1 - why.RecomputedShare)), why.ComputeCeilingTokensPerSecond, 1e-3);
        Assert.True(why.RecomputedShare > 0 && !plan.Traffic.Recomputed.IsEmpty);
    }

    [Fact]
    public void Gains_are_those_of_the_same_search_and_never_losses()
    {
        var search = new PlanSearch(Request, Machine);
        var found = Assert.IsType<SearchResult.Found>(search.Find(Request.Budget));
        var asked = new List<MemoryBudget>();
        var why = Step(0).With(found, Request.Budget, budget =>
        {
            asked.Add(budget);
            return search.Find(budget);
        });

        // A GiB more of each, and twice the host memory, which here is less than a GiB more of it.
        var host = Request.Budget with { Host = new Bytes((64 << 20) + (1 << 30)) };
        Assert.Equal([Request.Budget with { Device = new Bytes((4 << 20) + (1 << 30)) }, host, host], asked);
        Assert.Equal(
            asked[1..].Select(b => (b.Host, b.Device)),
            [(PlanExplanation.Largest(Request.Budget).Host, Request.Budget.Device), (host.Host, host.Device)]
        );
        var larger = Assert.IsType<SearchResult.Found>(search.Find(asked[0]));
        Assert.Equal((larger.Best.TokensPerSecond / found.Best.TokensPerSecond) - 1, why.MoreDevice!.Gain, 1e-12);
        Assert.True(why.MoreDevice.Gain > 0 && why.MoreHost!.Gain >= 0);
        Assert.Equal(why.MoreHost.Gain, why.AmpleHost!.Gain, 1e-12);
        Assert.InRange(why.AmpleHost.More.Value, 0, 1 << 30);
        Assert.Equal(0, Step(0).With(larger, asked[0], _ => found).MoreDevice!.Gain);
    }

    [Fact]
    public void Others_differ_in_kind_and_say_why_they_lost()
    {
        var best = Assert.IsType<SearchResult.Found>(new PlanSearch(Request, Machine).Find(Request.Budget)).Best;
        var (g, r) = (best.Choice.Geometry, best.Choice.Residency);
        PlanCandidate Other(double step, double compute, Geometry? geometry = null, SaveSet? saved = null, int slots = 0) => best with
        {
            Choice = new PlanChoice(geometry ?? g, r with { Travelling = saved ?? r.Travelling, WeightSlots = r.WeightSlots + slots }),
            StepNanoseconds = (long)(best.StepNanoseconds * step),
            ComputeNanoseconds = (long)(best.ComputeNanoseconds * compute),
        };
        var kept = r.Travelling | SaveSet.Kv;
        var (halved, padded) = (
            g with
            {
                ChunkTokens = g.ChunkTokens / 2,
                ChunksPerRound = g.ChunksPerRound * 2,
            },
            g with
            {
                ChunksPerRound = g.ChunksPerRound + 1,
            }
        );
        ImmutableArray<PlanCandidate> others =
        [
            Other(1, 1, slots: 1), // of the best one's kind
            Other(1, 1, halved),
            Other(1.1, 1, halved with { HeadTokens = 1 }),
            Other(1.2, 1, halved with { HeadTokens = 1 }, slots: 2), // of the kind before
            Other(1.3, 1.3, saved: ~kept & SaveSet.All),
            Other(1.4, 1.4, padded),
            Other(1.5, 1.5, halved with { HeadTokens = 2 }),
            Other(1.6, 1.6, halved with { HeadTokens = 3 }), // one too many
        ];
        var why = Step(0).With(new SearchResult.Found(best, others), Request.Budget, _ => new SearchResult.Found(best, []));
        Assert.Equal(
            [LossReason.Order, LossReason.Copies, LossReason.Recomputation, LossReason.Padding, LossReason.Kernels],
            why.Others.Select(o => o.Reason)
        );
        Assert.Equal([0, 0.1, 0.3, 0.4, 0.5], why.Others.Select(o => Math.Round(o.Slower, 6)));
        Assert.Equal(best.Choice, why.Choice);
    }
}
