using Dataflow.Model;

namespace Dataflow.Planning.Tests;

/// <summary>What a refusal reports works, and one MiB less of either memory does not.</summary>
[Trait("Slow", "true")]
public class SmallestBudgetTests
{
    [Fact]
    public void With_a_reserve_that_grows_with_the_host_arena_the_least_device_memory_works_and_a_byte_less_does_not()
    {
        int tried = 0;
        for (int seed = 0; seed < 60; seed++)
        {
            var request = RandomRequests.Make(seed) with { Pins = new GeometryPins(), Reserve = new DeviceReserve(new Bytes(1 + seed)) };
            var candidates = new PlanCandidates(request);
            foreach (long host in new[] { 1L << 18, 1L << 20, 1L << 23, 1L << 50 })
            {
                if (candidates.Limits.LeastDevice(new Bytes(host)) is not { } least)
                {
                    continue;
                }

                tried++;
                var budget = new MemoryBudget(new Bytes(host), least);
                var (workload, programs, residency) = candidates.Best(budget)!.Value;
                var memory = Footprint.Of(workload, programs, residency);
                Assert.True(memory.Device + request.Reserve.For(memory.Host) <= least && memory.Host.Value <= host, $"seed {seed}");
                Assert.Null(candidates.Best(budget with { Device = least - new Bytes(1) }));
                Assert.True(candidates.Limits.LeastHost(least)!.Value.Value <= host);
            }
        }

        Assert.True(tried > 80, $"{tried} tried");
    }

    [Fact]
    public void Page_tables_of_pinned_memory_are_eight_bytes_for_each_page_of_4_kibibytes()
    {
        var reserve = new DeviceReserve(Bytes.FromGiB(1));
        Assert.Equal(Bytes.FromGiB(1) + DeviceReserve.Slack, reserve.Least);
        Assert.Equal(reserve.Least + new Bytes(220L << 20), reserve.For(Bytes.FromGiB(110)));
        Assert.Equal(new Bytes(1), DeviceReserve.PageTables(new Bytes(1)));
        Assert.Equal(Bytes.Zero, DeviceReserve.None.For(Bytes.FromGiB(110)));
    }

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

    /// <summary>
    /// One MiB less of both than a budget that is tight in both: more of either alone may do, and each way is tight again.
    /// </summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Either_would_do(string model, int seqlen)
    {
        var request = Request(model, seqlen, new MemoryBudget(Plenty, Nothing));
        var least = Assert.IsType<PlanResult.Infeasible>(Planner.Plan(request)).Pairs.Single();
        var device = least.Device + new Bytes(least.Device.Value / 2);
        var host = new PlanCandidates(request).Limits.LeastHost(device)!.Value;
        request = request with { Budget = new MemoryBudget(host - MiB, device) };
        var refused = Assert.IsType<PlanResult.Infeasible>(Planner.Plan(request));
        Assert.Equal(2, refused.Pairs.Length);
        Assert.Equal(host, refused.SmallestHost);
        Assert.Equal((refused.SmallestDevice, refused.SmallestHost), (refused.Pairs[0].Device, refused.Pairs[1].Host));
        Assert.True(refused.Pairs[0].Host <= request.Budget.Host && refused.Pairs[1].Device <= request.Budget.Device);
        Assert.All(refused.Pairs, pair => CheckPair(request, pair));
    }

    [Theory]
    [InlineData("nano", 512, 2)]
    [InlineData("1b", 8192, 1)]
    [InlineData("8b", 8192, 4)]
    [InlineData("32b", 512, 16)]
    public void With_the_vocabulary_in_so_many_blocks(string model, int seqlen, int blocks)
    {
        foreach (
            var budget in new[] { new MemoryBudget(Plenty, Nothing), new MemoryBudget(Nothing, Plenty), new MemoryBudget(Nothing, Nothing) }
        )
        {
            Check(Request(model, seqlen, budget) with { Pins = new GeometryPins(VocabularyBlocks: blocks) });
        }
    }

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
        var pair = Assert.Single(refused.Pairs);
        Assert.Equal((refused.SmallestDevice, refused.SmallestHost), (pair.Device, pair.Host));
        Assert.Matches(@"give at least (\d+ MiB|\d+\.\d{3} GiB) of (device|host) memory", refused.Reason);
        CheckPair(request, pair);
    }

    private static void CheckPair(PlanRequest request, MemoryBudget pair)
    {
        Assert.True(Fits(request, pair), $"{pair} does not fit");
        Assert.False(Fits(request, pair with { Device = pair.Device - MiB }), $"less device memory than {pair} fits");
        Assert.False(Fits(request, pair with { Host = pair.Host - MiB }), $"less host memory than {pair} fits");
    }

    private static bool Fits(PlanRequest request, MemoryBudget budget) => new PlanCandidates(request).Best(budget) is not null;

    private static PlanRequest Request(string model, int seqlen, MemoryBudget budget) =>
        new(Models.Load(model), Recipe.Bf16, WorkloadKind.Training, seqlen, null, new GeometryPins(), budget);
}
