using Dataflow.Model;

namespace Dataflow.Planning.Tests;

/// <summary>The smallest budgets are small, work, and are what the planner makes of them.</summary>
public class PlanFrontierTests
{
    private static readonly Bytes MiB = new(1 << 20);

    // What a consumer GPU (8 and 16 GiB, less what the driver takes) and a 24 GiB one must be enough for.
    [Theory]
    [InlineData("8b", 8192, 8)]
    [InlineData("32b", 8192, 14)]
    [InlineData("8b", 1048576, 20)]
    public void Large_models_need_little_of_the_device(string model, int seqlen, int gib)
    {
        var frontier = PlanFrontier.Of(Request(model, seqlen));
        Assert.True(frontier.LeastDevice.Memory.Device <= Bytes.FromGiB(gib), $"{frontier.LeastDevice.Memory.Device}");
        Assert.True(frontier.BesideCompute.Memory.Device <= Bytes.FromGiB(gib), $"beside compute {frontier.BesideCompute.Memory.Device}");
        Assert.True(frontier.LeastDevice.Memory.Device < frontier.BesideCompute.Memory.Device);
    }

    [Trait("Slow", "true")]
    [Theory]
    [InlineData("nano", 512)]
    [InlineData("nano", 8192)]
    [InlineData("micro", 512)]
    [InlineData("8b", 512)]
    public void Every_point_can_be_planned_and_nothing_less(string model, int seqlen)
    {
        var request = Request(model, seqlen);
        var frontier = PlanFrontier.Of(request);
        foreach (var point in new[] { frontier.LeastDevice, frontier.BesideCompute, frontier.LeastHost })
        {
            var plan = Assert.IsType<PlanResult.Feasible>(Planner.Plan(request with { Budget = point.Memory })).Plan;
            Assert.Equal(point.Residency, plan.Residency);
            Assert.Equal(point.Workload.Geometry, plan.Workload.Geometry);
            Assert.Equal(point.Memory.Device, plan.DevicePeak);
            Assert.Equal(point.Memory.Device, point.OnDevice.Aggregate(Bytes.Zero, (sum, s) => sum + s.Bytes));
        }

        Assert.False(Fits(request, frontier.LeastDevice.Memory with { Device = frontier.LeastDevice.Memory.Device - new Bytes(1) }));
        Assert.False(Fits(request, frontier.LeastDevice.Memory with { Host = frontier.LeastDevice.Memory.Host - MiB }));
        Assert.False(Fits(request, frontier.LeastHost.Memory with { Host = frontier.LeastHost.Memory.Host - new Bytes(1) }));
        Assert.False(Fits(request, frontier.LeastHost.Memory with { Device = frontier.LeastHost.Memory.Device - MiB }));
    }

    [Fact]
    public void Beside_compute_everything_that_travels_has_two_slots()
    {
        var point = PlanFrontier.Of(Request("8b", 8192)).BesideCompute;
        Assert.Equal(2, point.Residency.WeightSlots);
        Assert.Equal(2, point.Residency.OptimizerSlots);
        Assert.True(point.Residency.ActivationSlots >= 2 && point.Residency.WindowSlots >= 2 && point.Residency.StreamSlots >= 2);
    }

    /// <summary>
    /// Whole, one table and its gradient are 1002 MiB each: block by block a quarter of both is the most that two of eight blocks take.
    /// </summary>
    [Fact]
    public void A_large_vocabulary_need_never_be_on_the_device_at_once()
    {
        var request = Request("8b", 8192);
        var (blocks, whole) = (PlanFrontier.Of(request), PlanFrontier.Of(request with { Pins = new GeometryPins(VocabularyBlocks: 1) }));
        foreach (var (cut, full) in new[] { (blocks.LeastDevice, whole.LeastDevice), (blocks.BesideCompute, whole.BesideCompute) })
        {
            Assert.Equal((8, 1), (cut.Workload.Geometry.VocabularyBlocks, full.Workload.Geometry.VocabularyBlocks));
            Assert.True((full.Memory.Device - cut.Memory.Device).Value > 1450L << 20, $"{cut.Memory.Device}, whole {full.Memory.Device}");
        }
    }

    private static bool Fits(PlanRequest request, MemoryBudget budget) => new PlanCandidates(request).Best(budget) is not null;

    private static PlanRequest Request(string model, int seqlen) => new(
        Models.Load(model), Recipe.Bf16, WorkloadKind.Training, seqlen, null, new GeometryPins(), new MemoryBudget(Bytes.Zero, Bytes.Zero));
}
