using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Schedules.Tests;

namespace Dataflow.Planning.Tests;

/// <summary>Every plan verifies and respects its budgets; every refusal says what would work.</summary>
[Trait("Slow", "true")]
public class PlannerTests
{
    private const int Requests = 300;

    [Fact]
    public void Random_requests_are_planned_within_both_budgets_or_refused_with_a_budget_that_works()
    {
        int feasible = 0, refused = 0;
        for (int seed = 0; seed < Requests; seed++)
        {
            var request = RandomRequests.Make(seed);
            switch (Try(request))
            {
                case PlanResult.Feasible f:
                    feasible++;
                    AssertSound(f.Plan, request);
                    break;
                case PlanResult.Infeasible i:
                    refused++;
                    var suggested = request with
                    {
                        Budget = new MemoryBudget(
                            Bytes.Max(request.Budget.Host, i.SmallestHost),
                            Bytes.Max(request.Budget.Device, i.SmallestDevice)
                        ),
                    };
                    AssertSound(Assert.IsType<PlanResult.Feasible>(Planner.Plan(suggested)).Plan, suggested);
                    Assert.Contains("memory", i.Reason, StringComparison.Ordinal);
                    break;
            }
        }

        Assert.True(feasible > Requests / 3 && refused > Requests / 20, $"{feasible} feasible, {refused} refused: the sample is lopsided");
    }

    [Trait("Soak", "true")]
    [Fact]
    public void No_plan_of_thousands_exceeds_a_budget_and_more_memory_is_never_refused()
    {
        int planned = 0;
        for (int seed = 10_000; seed < 10_000 + Sample.Of(3_000); seed++)
        {
            var request = RandomRequests.Make(seed, small: true);
            if (Try(request) is PlanResult.Feasible f)
            {
                planned++;
                Assert.True(
                    f.Plan.DevicePeak <= request.Budget.Device && f.Plan.HostPeak <= request.Budget.Host,
                    $"seed {seed}: {f.Plan.DevicePeak} and {f.Plan.HostPeak} of {request.Budget}"
                );
                var random = new Random(seed);
                var more = new MemoryBudget(
                    new Bytes(request.Budget.Host.Value * random.Next(1, 4)),
                    new Bytes(request.Budget.Device.Value * random.Next(1, 4))
                );
                Assert.NotNull(new PlanCandidates(request).Best(more));
            }
        }

        Assert.True(planned > Sample.Of(1_000), $"only {planned} of the requests were feasible");
    }

    [Fact]
    public void The_same_request_gives_the_same_text()
    {
        for (int seed = 0; seed < 20; seed++)
        {
            if (Try(RandomRequests.Make(seed)) is PlanResult.Feasible first)
            {
                var second = (PlanResult.Feasible)Planner.Plan(RandomRequests.Make(seed));
                Assert.Equal(ScheduleText.Print(first.Plan.Schedule), ScheduleText.Print(second.Plan.Schedule));
                Assert.Equal(first.Plan.Schedule, ScheduleText.Parse(ScheduleText.Print(first.Plan.Schedule)));
            }
        }
    }

    /// <summary>
    /// Deleting a wait that is needed (by brute force over every order that streams and waits allow) is always flagged; one that is not
    /// needed never is.
    /// </summary>
    [Fact]
    public void Deleting_any_needed_wait_of_a_real_plan_is_flagged()
    {
        int trials = 0, needed = 0;
        for (int seed = 0; trials < 300; seed++)
        {
            if (Try(RandomRequests.Make(seed, small: true)) is not PlanResult.Feasible f || f.Plan.Schedule.Ops.Length > 400)
            {
                continue;
            }

            var schedule = f.Plan.Schedule;
            var random = new Random(seed);
            var waits = schedule.Ops.SelectMany((op, i) => op.Waits.Select(w => (Op: i, Wait: w))).ToArray();
            for (int i = 0; i < Math.Min(8, waits.Length); i++, trials++)
            {
                var (op, wait) = waits[random.Next(waits.Length)];
                var cut = schedule with
                {
                    Ops = schedule.Ops.SetItem(op, schedule.Ops[op] with { Waits = schedule.Ops[op].Waits.Remove(wait) }),
                };
                bool wanted = BruteForce.HasUnorderedConflict(cut);
                bool flagged = ScheduleVerifier.Verify(cut).Any(e => e.Rule == "hazard");
                Assert.True(
                    wanted == flagged,
                    string.Create(CultureInfo.InvariantCulture, $"seed {seed}, op {op}, wait {wait}: needed {wanted}, flagged {flagged}")
                );
                needed += wanted ? 1 : 0;
            }
        }

        Assert.True(needed > trials / 2, $"only {needed} of {trials} deleted waits were needed");
    }

    private static PlanResult? Try(PlanRequest request)
    {
        try
        {
            return Planner.Plan(request);
        }
        catch (UserErrorException)
        {
            return null;
        }
    }

    private static void AssertSound(TrainingPlan plan, PlanRequest request)
    {
        Assert.True(plan.DevicePeak <= request.Budget.Device && plan.HostPeak <= request.Budget.Host);
        Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, [request.Budget.Device, request.Budget.Host], request.Model));
        var g = plan.Workload.Geometry;
        Assert.Equal(g.Rows, Enumerable.Range(0, g.Rounds).Sum(r => g.RowsOf(new Round(r))));
        Assert.Equal(g.ChunksPerRound, g.BackwardOrder().Distinct().Count());
    }
}
