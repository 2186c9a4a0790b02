using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>
/// What the emulated driver is for: a schedule that lacks a wait it needs does not get past it, whatever order it happens to run in.
/// </summary>
[Trait("Slow", "true")]
public sealed class DeletedWaitTests
{
    // A soak run takes other schedules than the sample, too.
    private static readonly bool s_soak = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";
    private static readonly int s_schedules = s_soak ? 1000 : 60;

    [Fact]
    [Trait("Soak", "true")]
    public void A_schedule_with_one_needed_wait_deleted_is_caught_every_time()
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seeds 0 to {s_schedules - 1}");
        var missed = new List<string>();
        int within = 0, across = 0;
        for (int seed = 0; seed < s_schedules; seed++)
        {
            var random = new Random(seed);
            var plan = TinyTraining.Plan(random);
            var (broken, wait) = Delete(plan.Schedule, random);
            (within, across) = wait.Distance == 0 ? (within + 1, across) : (within, across + 1);
            var hazard = ScheduleVerifier.Verify(broken);
            Assert.NotEmpty(hazard);
            Assert.All(hazard, e => Assert.Equal("hazard", e.Rule));
            string? found = Run(plan, broken, seed);
            if (
                found is null
                || !(
                    found.Contains("nothing orders the two", StringComparison.Ordinal)
                    || found.Contains("which nothing has written", StringComparison.Ordinal)
                )
            )
            {
                missed.Add(
                    $"seed {seed}, distance {wait.Distance}: the verifier says {hazard[0].Message}; the driver says {found ?? "nothing"}"
                );
            }
        }

        Assert.True(missed.Count == 0, $"{missed.Count} of {s_schedules} were missed\n{string.Join("\n", missed)}");
        Assert.True(
            within > s_schedules / 4 && across > s_schedules / 20,
            $"{within} waits within a step and {across} across its border were deleted"
        );
    }

    [Fact]
    [Trait("Soak", "true")]
    public void The_same_schedules_run_through_while_they_have_all_their_waits()
    {
        for (int seed = 0; seed < s_schedules; seed += 10)
        {
            var random = new Random(seed);
            var plan = TinyTraining.Plan(random);
            Assert.Null(Run(plan, plan.Schedule, seed));
        }
    }

    /// <summary>
    /// What the driver says of a step, then of two that nothing but the schedule keeps apart; null where it has nothing to say.
    /// </summary>
    private static string? Run(TrainingPlan plan, Schedule schedule, int seed)
    {
        var gpu = EmulatedDriver.Gpu;
        CudaEmulation.Seed((ulong)seed);
        using var device = new CudaDevice(schedule, plan.Workload, CudaContext.Open(gpu), KernelImages.Emulated(EmulatedDriver.Folder));
        var trainer = TinyTraining.Trainer(plan, schedule, device);
        try
        {
            _ = TinyTraining.Step(plan, trainer);
            TinyTraining.StepsWithoutPause(schedule, device, 2);
            return null;
        }
        catch (CudaException e)
        {
            CudaEmulation.ClearError();
            return e.Message;
        }
        catch (UserErrorException e)
        {
            return e.Message; // the loss is no number: caught, but not by the driver
        }
    }

    /// <summary>Every wait of a planned schedule is needed: redundant ones were dropped when it was built.</summary>
    private static (Schedule Broken, Wait Wait) Delete(Schedule schedule, Random random)
    {
        (int Op, Wait Wait)[] all = [.. schedule.Ops.SelectMany((op, i) => op.Waits.Select(w => (i, w)))];

        // Waits across the border are few: half of the time one of them, where there is one.
        var candidates = random.Next(2) == 0 ? [.. all.Where(w => w.Wait.Distance == 1)] : all;
        var (at, wait) = (candidates.Length > 0 ? candidates : all)[random.Next(candidates.Length > 0 ? candidates.Length : all.Length)];
        var op = schedule.Ops[at];
        return (schedule with { Ops = schedule.Ops.SetItem(at, op with { Waits = op.Waits.Remove(wait) }) }, wait);
    }
}
