using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Cli.Tests;

/// <summary>The table of a plan's memory adds up to its headline, both arenas, whatever is reserved.</summary>
public class MemoryTableTests
{
    [Theory]
    [InlineData("nano", 128, 0.008, 0.0625, 0)]
    [InlineData("nano", 100, 0.15, 0.1, 5_000_000)]
    [InlineData("1b", 4096, 24, 40, 1_181_116_006)]
    public void It_adds_up(string model, int seqlen, double device, double host, long reserved)
    {
        using var source = ModelSource.Open(model);
        var request = new PlanRequest(
            source.Model,
            Recipe.Bf16Stochastic,
            WorkloadKind.ClippedTraining,
            seqlen,
            4,
            new GeometryPins(),
            new MemoryBudget(Bytes.FromGiB(host), Bytes.FromGiB(device))
        )
        {
            Reserve = new DeviceReserve(new Bytes(reserved)),
        };
        var plan = Assert.IsType<PlanResult.Feasible>(Planner.Plan(request)).Plan;
        var rows = ObjectMemory.Of(plan);
        long Sum(MemoryTier tier) => rows.Sum(r => r.ByTier[tier.Index].Bytes.Value);
        Assert.Equal((plan.DevicePeak.Value, plan.HostPeak.Value), (Sum(MemoryTier.Device), Sum(MemoryTier.Host)));
        Assert.Equal(
            request.Reserve.For(plan.HostPeak).Value,
            rows.Where(r => r.Kind.StartsWith("reserve", StringComparison.Ordinal)).Sum(r => r.ByTier[MemoryTier.Device.Index].Bytes.Value)
        );
        Assert.DoesNotContain(rows, r => r.ByTier.Any(t => t.Bytes.Value < 0));
        Assert.Equal(plan.Schedule.Slots.Length, rows.Sum(r => r.ByTier.Sum(t => t.Slots)));
    }

    [Fact]
    public void Its_last_line_is_the_headline()
    {
        string[] lines = Programs
            .Good(
                Programs.Dataflow(
                    "plan 1b --seqlen 4k --device-memory 24 --host-memory 64 --hardware h100 --policy simple --global-batch 16k"
                )
            )
            .Split('\n');
        string headline = lines.Single(l => l.StartsWith("Memory: ", StringComparison.Ordinal));
        string[] last = lines
            .First(l => l.StartsWith("  all ", StringComparison.Ordinal))
            .Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Contains($"device {last[2]} of ", headline, StringComparison.Ordinal);
        Assert.Contains($"host {last[4]} of ", headline, StringComparison.Ordinal);
        Assert.Contains(lines, l => l.StartsWith("  reserve (context, kernels, libraries)", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, l => l.Contains(" MB", StringComparison.Ordinal) || l.Contains(" GB ", StringComparison.Ordinal));
    }
}
