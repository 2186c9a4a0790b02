using Dataflow.Model;

namespace Dataflow.Planning.Tests;

/// <summary>What a refusal reports works, and one MiB less of either memory does not.</summary>
public class SmallestBudgetTests
{
    private static readonly Bytes MiB = new(1 << 20);
    private static readonly Bytes Plenty = Bytes.FromGiB(4096);
    private static readonly Bytes Nothing = new(1);

    public static TheoryData<string, int> Cases
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (string model in new[] { "nano", "micro", "1b", "8b", "32b", "70b" })
            {
                foreach (int seqlen in new[] { 512, 8192, 131072 })
                {
                    data.Add(model, seqlen);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Device_bound(string model, int seqlen) => Check(Request(model, seqlen, new MemoryBudget(Plenty, Nothing)));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Host_bound(string model, int seqlen) => Check(Request(model, seqlen, new MemoryBudget(Nothing, Plenty)));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Both_bound(string model, int seqlen) => Check(Request(model, seqlen, new MemoryBudget(Nothing, Nothing)));

    /// <summary>Contexts so long that only segments of their windows fit.</summary>
    [Theory]
    [InlineData("8b", 1048576)]
    [InlineData("1b", 524288)]
    [InlineData("nano", 131072)]
    public void Segments_bind(string model, int seqlen)
    {
        var request = Request(model, seqlen, new MemoryBudget(Plenty, Nothing));
        Check(request);
        var refused = Assert.IsType<PlanResult.Infeasible>(Planner.Plan(request));
        var (_, _, residency) = new PlanCandidates(request).Best(new MemoryBudget(Plenty, refused.SmallestDevice))!.Value;
        Assert.True(residency.WindowSegments > 1, $"{residency}");
        Check(request with { Budget = new MemoryBudget(refused.SmallestHost, Nothing) });
    }

    private static void Check(PlanRequest request)
    {
        var refused = Assert.IsType<PlanResult.Infeasible>(Planner.Plan(request));
        var pair = new MemoryBudget(refused.SmallestHost, refused.SmallestDevice);
        Assert.True(Fits(request, pair), $"{pair} does not fit");
        Assert.False(Fits(request, pair with { Device = pair.Device - MiB }), $"less device memory than {pair} fits");
        Assert.False(Fits(request, pair with { Host = pair.Host - MiB }), $"less host memory than {pair} fits");
        Assert.Matches(@"give at least \d+ MiB of (device|host) memory", refused.Reason);
    }

    private static bool Fits(PlanRequest request, MemoryBudget budget) => new PlanCandidates(request).Best(budget) is not null;

    private static PlanRequest Request(string model, int seqlen, MemoryBudget budget) =>
        new(Models.Load(model), Recipe.Bf16, WorkloadKind.Training, seqlen, null, new GeometryPins(), budget);
}
