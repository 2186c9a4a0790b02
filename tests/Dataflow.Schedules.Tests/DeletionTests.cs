namespace Dataflow.Schedules.Tests;

/// <summary>The verifier is exact: it flags a hazard if and only if a conflict is unordered, whichever waits are missing.</summary>
public sealed class DeletionTests
{
    [Fact]
    public void A_deleted_wait_is_flagged_exactly_if_it_was_needed()
    {
        int needed = 0;
        int needless = 0;
        for (int seed = 0; seed < 4000; seed++)
        {
            var random = new Random(seed);
            Schedule schedule = RandomPrograms.Make(random, random.Next(2, 30));
            if (schedule.Ops.Length == 0)
            {
                continue;
            }

            schedule = Deletion.WithMore(WaitInference.Infer(schedule), random, random.Next(12));
            for (int deletions = random.Next(1, 3); deletions > 0; deletions--)
            {
                schedule = Deletion.One(schedule, random);
            }

            IReadOnlyList<ScheduleError> errors = ScheduleVerifier.Verify(schedule);
            (int Earlier, int Later, int Distance)? conflict = BruteForce.FindUnorderedConflict(schedule);
            Assert.All(errors, e => Assert.Equal("hazard", e.Rule));
            Assert.True(
                errors.Count > 0 == conflict is not null,
                $"seed {seed}: brute force finds {conflict}, the verifier {string.Join("\n", errors)}"
            );
            needed += conflict is not null ? 1 : 0;
            needless += conflict is null ? 1 : 0;
        }

        Assert.True(needed > 1000 && needless > 500, $"{needed} needed and {needless} needless deletions");
    }

    [Fact]
    public void Values_are_followed_exactly_as_byte_by_byte()
    {
        int good = 0;
        int bad = 0;
        for (int seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            Schedule schedule = RandomPrograms.Make(random, random.Next(2, 25));
            if (schedule.Ops.Length < 2)
            {
                continue;
            }

            // One op less, or two in the wrong order; the waits are right for what is left.
            int at = random.Next(schedule.Ops.Length - 1);
            var ops = random.Next(2) == 0 ? schedule.Ops.RemoveAt(at)
                : schedule.Ops.SetItem(at, schedule.Ops[at + 1]).SetItem(at + 1, schedule.Ops[at]);
            schedule = WaitInference.Infer(schedule with { Ops = ops });
            bool accepted = ByteSimulation.Accepts(schedule);
            IReadOnlyList<ScheduleError> errors = ScheduleVerifier.Verify(schedule);
            Assert.All(errors, e => Assert.True(e.Rule is "value" or "tenancy", e.ToString()));
            Assert.True(accepted == (errors.Count == 0), $"seed {seed}: byte by byte {accepted}, the verifier {string.Join("\n", errors)}");
            good += accepted ? 1 : 0;
            bad += accepted ? 0 : 1;
        }

        Assert.True(good > 300 && bad > 300, $"{good} good and {bad} bad programs");
    }
}
