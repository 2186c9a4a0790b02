using Dataflow.Model;
using Dataflow.Baseline;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Baseline.Tests;

/// <summary>The published system's step as a schedule: verified, with its own order, and as long as its structure says.</summary>
public class BaselineLoweringTests
{
    /// <summary>
    /// Short and long sequences; all resident, part of it, hardly anything; each save level; few and many optimizer slots.
    /// </summary>
    public static TheoryData<string, string, int, double, double, int> Cases => new()
    {
        { "H100", "8b", 8192, 75, 78, 3 }, { "H100", "8b", 8192, 75, 24, 3 }, { "H100", "8b", 65536, 144, 78, 1 },
        { "H100", "1b", 1024, 24, 16, 2 }, { "H100", "1b", 1024, 64, 78, 2 }, { "H100", "32b", 65536, 416, 77, 1 },
        { "RTX5090", "8b", 8192, 96, 30, 2 }, { "RTX3090", "8b", 8192, 64, 20, 2 }, { "A100", "8b", 131072, 128, 40, 1 },
    };

    private static BaselinePlan Plan(string machine, string model, int seqlen, double host, double device, int rounds)
    {
        var request = new BaselineRequest(
            Models.Load(model),
            BaselineMachine.All.Single(m => m.Name == machine),
            seqlen,
            new MemoryBudget(Bytes.FromGiB(host), Bytes.FromGiB(device))
        );
        return Assert.IsType<BaselineResult.Feasible>(BaselinePlanner.Plan(request)).Plan with { Rounds = rounds };
    }

    [Theory, MemberData(nameof(Cases))]
    public void A_step_verifies_within_both_budgets(string machine, string model, int seqlen, double host, double device, int rounds)
    {
        var plan = Plan(machine, model, seqlen, host, device, rounds);
        var schedule = BaselineLowering.Lower(plan);

        // What lies over the slots of the rounds starts behind what is kept through the whole step.
        var overlay = schedule.Arenas[1].Length;
        Assert.True(overlay <= plan.Request.Budget.Device);
        Assert.Empty(ScheduleVerifier.Verify(schedule, [plan.Request.Budget.Device, overlay, plan.Request.Budget.Host]));
    }

    [Theory, MemberData(nameof(Cases))]
    public void Copies_are_those_that_the_plan_asks_for(string machine, string model, int seqlen, double host, double device, int rounds)
    {
        var plan = Plan(machine, model, seqlen, host, device, rounds);
        var schedule = BaselineLowering.Lower(plan);
        int layers = plan.Request.Model.LayerCount,
            weights = plan.Device.WeightBlocks,
            gradients = plan.Device.GradientBlocks,
            home = plan.Device.HomePairs;
        int Count(OpKind kind, string of, bool inRounds) =>
            schedule.Ops.Count(o =>
                o.Kind == kind
                && o.Stream != 0
                && (o.Round is not null) == inRounds
                && schedule.Objects[o.Accesses[0].Object].Name.StartsWith(of + "/", StringComparison.Ordinal)
            );

        // Per round: missing parameters twice, gradients out, and in again but for the first round; of the last round those stay that are
        // updated first.
        Assert.Equal(2 * rounds * (layers - weights), Count(OpKind.Fetch, "W", inRounds: true));
        Assert.Equal(gradients < layers ? (rounds * layers) - gradients : 0, Count(OpKind.Save, "G", inRounds: true));
        Assert.Equal(gradients < layers ? (rounds - 1) * layers : 0, Count(OpKind.Fetch, "G", inRounds: true));
        Assert.Equal((rounds * home, rounds * home), (Count(OpKind.Save, "A", inRounds: true), Count(OpKind.Fetch, "A", inRounds: true)));

        // The optimizer's phase takes every layer's moments in, and these and the parameters out.
        Assert.Equal(
            (layers, layers, layers),
            (
                Count(OpKind.Fetch, "O/M", inRounds: false),
                Count(OpKind.Save, "O/V", inRounds: false),
                Count(OpKind.Save, "W", inRounds: false)
            )
        );
    }

    [Fact]
    public void Nothing_of_the_optimizers_phase_overlaps_with_the_rounds()
    {
        var plan = Plan("H100", "8b", 8192, 75, 24, 2);
        var machine = new CostModel(
            HardwareProfileReader.Parse(Checkout.Read("profiling", "hardware", "h100-sxm.json"), "h100-sxm"),
            DType.BFloat16
        );
        var (schedule, timeline, _) = BaselinePrediction.Of(plan, machine);
        long lastBackward = Enumerable
            .Range(0, schedule.Ops.Length)
            .Where(i => schedule.Ops[i].Kind == OpKind.EmbedBackward)
            .Max(i => timeline.Ops[i].End);
        var moments = Enumerable
            .Range(0, schedule.Ops.Length)
            .Where(i => schedule.Ops[i].Accesses.Any(a => schedule.Slots[a.Slot].Arena == 1))
            .ToList();
        Assert.All(moments, i => Assert.True(timeline.Ops[i].Start >= lastBackward));

        // The next step's first forward waits for the last to leave, by an order that no byte asks for.
        var first = schedule.Ops.First(o => o.Kind == OpKind.Forward);
        Assert.Contains(first.Waits, w => w.Distance == 1 && w.Op == moments.Max());
    }

    [Fact]
    public void A_step_where_nothing_travels_takes_as_long_as_its_kernels_and_its_optimizer()
    {
        var plan = Plan("H100", "1b", 1024, 64, 78, 2);
        var machine = new CostModel(
            HardwareProfileReader.Parse(Checkout.Read("profiling", "hardware", "h100-sxm.json"), "h100-sxm"),
            DType.BFloat16
        );
        var (schedule, timeline, seconds) = BaselinePrediction.Of(plan, machine);
        Assert.Equal((16, 0), (plan.Device.WeightBlocks, plan.Device.HomePairs));
        double rounds =
            Enumerable
                .Range(0, schedule.Ops.Length)
                .Where(i => schedule.Ops[i] is { Stream: 0, Kind: not OpKind.Update })
                .Sum(i => timeline.Ops[i].Duration) / 1e9;

        // Parameters and moments of 16 layers leave one after the other; what comes in meanwhile can only slow that down.
        double least = 16 * 3 * BlockSizes.Of(plan.Request.Model).Block.Value / (machine.Links.Links[1].Alone * 1e9);
        Assert.InRange(seconds - rounds, least, 2 * least);
    }
}
