using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Planning.Tests;

/// <summary>Policy auto: what it finds is a plan within its budget, as fast as it says, and never slower for more memory.</summary>
public class PlanSearchTests
{
    private static readonly string[] Machines = ["h100-sxm", "rtx5090", "rtx3090", "a100-80gb", "cpu"];

    /// <summary>What layers do with keys and values.</summary>
    public enum Layers
    {
        /// <summary>Each has its own.</summary>
        Own,

        /// <summary>Some share those of others.</summary>
        Shared,

        /// <summary>Some pass a state on in their place.</summary>
        States,
    }

    [Theory]
    [InlineData(Layers.Own)]
    [InlineData(Layers.Shared)]
    [InlineData(Layers.States)]
    public void What_is_found_verifies_fits_and_takes_as_long_as_the_search_said(Layers layers)
    {
        int found = 0;
        for (int seed = 0; seed < 60; seed++)
        {
            var (request, machine) = Request(seed, layers);
            var search = new PlanSearch(request, machine);
            foreach (var budget in Budgets(seed, 3))
            {
                if (search.Find(budget) is not SearchResult.Found result)
                {
                    continue;
                }

                found++;
                var best = result.Best;
                var plan = Planner.PlanFor(request with { Budget = budget }, best.Choice, machine);
                Assert.True(
                    plan.DevicePeak <= budget.Device && plan.HostPeak <= budget.Host,
                    $"seed {seed}: {plan.DevicePeak} and {plan.HostPeak} in {budget}"
                );
                Assert.True(best.Device <= budget.Device && best.Host <= budget.Host);
                Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, plan.Workload.Model));
                var costs = OpCosts.Of(plan.Schedule, plan.Workload, machine);
                Assert.Equal(Simulator.Steady(plan.Schedule, costs, machine.Links).StepNanoseconds, best.StepNanoseconds);
                Assert.Equal(costs.Where(c => c.Link < 0).Sum(c => c.Nanoseconds), best.ComputeNanoseconds);
                Assert.True(
                    best.GeometryFloorNanoseconds <= best.ComputeNanoseconds && best.ComputeNanoseconds <= best.StepNanoseconds,
                    $"seed {seed}: {best}"
                );
                Assert.All(result.Others, o => Assert.True(o.StepNanoseconds >= best.StepNanoseconds));
            }
        }

        Assert.True(found > 60, $"{found} found");
    }

    [Trait("Slow", "true")]
    [Fact]
    public void More_memory_is_never_slower()
    {
        int compared = 0;
        for (int seed = 0; seed < 40; seed++)
        {
            var (request, machine) = Request(seed);
            var search = new PlanSearch(request, machine);
            var known = new List<(MemoryBudget Budget, double Rate)>();
            foreach (var budget in Budgets(seed, 12))
            {
                double rate = search.Find(budget) is SearchResult.Found f ? f.Best.TokensPerSecond : 0;
                foreach (var (other, otherRate) in known)
                {
                    bool more = budget.Device >= other.Device && budget.Host >= other.Host,
                        less = budget.Device <= other.Device && budget.Host <= other.Host;
                    Assert.True(!more || rate >= otherRate, $"seed {seed}: {budget} {rate}, {other} {otherRate}");
                    Assert.True(!less || rate <= otherRate, $"seed {seed}: {budget} {rate}, {other} {otherRate}");
                    compared += more || less ? 1 : 0;
                }

                known.Add((budget, rate));
            }
        }

        Assert.True(compared > 500, $"{compared} compared");
    }

    /// <summary>The whole published grid is held to the same by `make check-search`.</summary>
    [Trait("Slow", "true")]
    [Theory]
    [InlineData("8b", "h100-sxm", 8192)]
    [InlineData("1b", "rtx3090", 65536)]
    [InlineData("32b", "a100-80gb", 4096)]
    public void More_memory_is_never_slower_for_real_models(string name, string hardware, int seqlen)
    {
        var profile = HardwareProfileReader.Parse(Checkout.Read("profiling", "hardware", hardware + ".json"), hardware);
        var model = Models.Load(name);
        var request = new PlanRequest(
            model,
            Recipe.Bf16,
            WorkloadKind.Training,
            seqlen,
            GlobalBatchRule.Rows(model, Recipe.Bf16, Optimizer.AdamW, seqlen, profile),
            new GeometryPins(),
            new MemoryBudget(Bytes.Zero, Bytes.Zero)
        )
        {
            Reserve = profile.Reserve,
        };
        double[] devices = [3, 4.5, 10.3, 11, 23.7, 24, 79], hosts = [20, 75, 90, 260, 700];
        var search = new PlanSearch(request, new CostModel(profile, DType.BFloat16));
        search.Prepare(new MemoryBudget(Bytes.FromGiB(hosts[^1]), Bytes.FromGiB(devices[^1])));
        var below = new double[hosts.Length];
        bool any = false;
        foreach (double device in devices)
        {
            double before = 0;
            for (int h = 0; h < hosts.Length; h++)
            {
                double rate = search.Find(new MemoryBudget(Bytes.FromGiB(hosts[h]), Bytes.FromGiB(device))) is SearchResult.Found f
                    ? f.Best.TokensPerSecond
                    : 0;
                Assert.True(
                    rate >= before && rate >= below[h],
                    $"{device} GiB of device and {hosts[h]} of host memory: {rate}, with less {before} and {below[h]}"
                );
                before = below[h] = rate;
                any |= rate > 0;
            }
        }

        Assert.True(any);
    }

    /// <summary>The page tables of pinned memory take device memory, too: what a plan puts on the host is not free on the device.</summary>
    [Fact]
    [Trait("Slow", "true")]
    public void With_a_reserve_that_grows_with_the_host_arena_plans_stay_within_the_device_budget_and_more_memory_is_never_slower()
    {
        int planned = 0, compared = 0;
        for (int seed = 0; seed < 12; seed++)
        {
            var (request, machine) = Request(seed);
            request = request with { Reserve = new DeviceReserve(new Bytes(1 + (seed * 1000))) };
            var search = new PlanSearch(request, machine);
            var known = new List<(MemoryBudget Budget, double Rate)>();
            foreach (var arenas in Budgets(seed, 6))
            {
                var budget = arenas with { Device = arenas.Device + request.Reserve.Least };
                double rate = 0;
                if (search.Find(budget) is SearchResult.Found f)
                {
                    rate = f.Best.TokensPerSecond;
                    Assert.True(f.Best.Device <= budget.Device && f.Best.Host <= budget.Host);
                    Holds(Planner.PlanFor(request with { Budget = budget }, f.Best.Choice, machine), request.Reserve);
                    planned++;
                }

                if (Planner.Plan(request with { Budget = budget }) is PlanResult.Feasible { Plan: var plan })
                {
                    Holds(plan, request.Reserve);
                }

                foreach (var (other, otherRate) in known)
                {
                    bool more = budget.Device >= other.Device && budget.Host >= other.Host,
                        less = budget.Device <= other.Device && budget.Host <= other.Host;
                    Assert.True(
                        (!more || rate >= otherRate) && (!less || rate <= otherRate),
                        $"seed {seed}: {budget} {rate}, {other} {otherRate}"
                    );
                    compared += more || less ? 1 : 0;
                }

                known.Add((budget, rate));
            }
        }

        Assert.True(planned > 20 && compared > 50, $"{planned} planned, {compared} compared");

        static void Holds(TrainingPlan plan, DeviceReserve reserve)
        {
            Assert.Equal(reserve.For(plan.HostPeak), plan.Reserved);
            Assert.True(
                plan.DevicePeak <= plan.Budget.Device && plan.HostPeak <= plan.Budget.Host,
                $"{plan.DevicePeak} and {plan.HostPeak} in {plan.Budget}"
            );
            Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets));
        }
    }

    [Fact]
    public void What_was_asked_before_changes_nothing()
    {
        for (int seed = 0; seed < 10; seed++)
        {
            var (request, machine) = Request(seed);
            var asked = new PlanSearch(request, machine);
            foreach (var budget in Budgets(seed, 4))
            {
                var one = asked.Find(budget);
                var other = new PlanSearch(request, machine).Find(budget);
                Assert.Equal((one as SearchResult.Found)?.Best, (other as SearchResult.Found)?.Best);
                Assert.Equal((one as SearchResult.Found)?.Others.AsEnumerable(), (other as SearchResult.Found)?.Others.AsEnumerable());
            }
        }
    }

    [Trait("Slow", "true")]
    [Theory]
    [InlineData(Layers.Own)]
    [InlineData(Layers.Shared)]
    [InlineData(Layers.States)]
    public void The_bound_holds_for_every_residency(Layers layers)
    {
        int held = 0;
        for (int seed = 0; seed < 150; seed++)
        {
            var (request, machine) = Request(seed, layers);
            var random = new Random(seed);
            var families = SearchSpace.Of(request, machine);
            for (int i = 0; i < 4; i++)
            {
                var family = families[random.Next(families.Count)];
                var residency = family[random.Next(family.Count)];
                var (step, _) = StepSimulation.Of(family.Geometry.Workload, residency, machine);
                double bound = family.Geometry.Estimate.BoundOf(residency);
                Assert.True(
                    bound <= step * (1 + 1e-6),
                    $"seed {seed}: bound {bound} above {step} for {family.Geometry.Workload.Geometry} {residency}"
                );
                held++;
            }
        }

        Assert.True(held > 500);
    }

    private static (PlanRequest Request, CostModel Machine) Request(int seed, Layers layers = Layers.Own)
    {
        var random = new Random(seed);
        var request = RandomRequests.Make(seed) with { Rows = random.Next(1, 24) };
        request = layers switch
        {
            Layers.Shared => request with { Model = SharedKvTests.Sharing(seed, request.Model) },
            Layers.States => request with { Model = SharedKvTests.WithStates(seed, request.Model) },
            _ => request,
        };
        if (random.Next(3) > 0)
        {
            request = request with { Pins = new GeometryPins(), SaveSet = null };
        }

        try
        {
            GeometryRule.SearchCandidates(request);
            GeometryRule.Candidates(request);
        }
        catch (UserErrorException)
        {
            request = request with { Pins = new GeometryPins() };
        }

        string name = Machines[random.Next(Machines.Length)];
        var profile = HardwareProfileReader.Parse(Checkout.Read("profiling", "hardware", name + ".json"), name);
        return (request, new CostModel(profile, request.Recipe.Parameters));
    }

    private static IEnumerable<MemoryBudget> Budgets(int seed, int count)
    {
        var random = new Random(seed);
        Bytes Size(int least, int most) => new((long)Math.Exp((random.NextDouble() * (most - least) + least) * Math.Log(2)));
        for (int i = 0; i < count; i++)
        {
            yield return new MemoryBudget(Size(16, 25), Size(15, 24));
        }
    }
}
