using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning.Tests;

/// <summary>
/// Interleaved rounds, activations that keep more or less, and activations that stay: every such residency is a plan within its footprint.
/// </summary>
public class SavePatternTests
{
    [Trait("Slow", "true")]
    [Trait("Soak", "true")]
    [Fact]
    public void Any_residency_verifies_and_keeps_to_its_footprint()
    {
        int interleaved = 0, mixed = 0;
        for (int seed = 0; seed < Sample.Of(700); seed++)
        {
            if (RandomResidencies.Make(seed) is not var (workload, programs, residency))
            {
                continue;
            }

            var plan = Planner.PlanFor(workload, residency);
            var want = Footprint.Of(workload, programs, residency);
            Assert.Equal(want.Device, plan.DevicePeak);
            Assert.True(
                plan.HostPeak <= want.Host,
                $"seed {seed}: host {plan.HostPeak} above {want.Host}: {residency} {workload.Geometry}"
            );
            var errors = ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, plan.Workload.Model);
            Assert.True(errors.Count == 0, $"seed {seed}: {(errors.Count > 0 ? errors[0].Message : "")} {residency} {workload.Geometry}");
            if (workload.Kind.Updates())
            {
                Assert.Empty(ScheduleVerifier.Verify(Planner.Evaluation(plan), plan.ArenaBudgets, plan.Workload.Model));
            }

            interleaved += new SavePattern(workload.Model, workload.Geometry, workload.Kind, residency).Interleaves ? 1 : 0;
            mixed += residency.MoreSixteenths > 0 ? 1 : 0;
        }

        Assert.True(interleaved > Sample.Of(100) && mixed > Sample.Of(100), $"{interleaved} interleaved, {mixed} mixed");
    }
}
