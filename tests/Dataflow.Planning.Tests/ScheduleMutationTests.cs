using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning.Tests;

/// <summary>
/// A changed schedule is refused, or computes what it did: nothing else is accepted. With DATAFLOW_SOAK=1 six thousand changes, otherwise a
/// sample.
/// </summary>
public class ScheduleMutationTests(ITestOutputHelper output)
{
    private static readonly bool Soak = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";

    [Fact]
    [Trait("Soak", "true")]
    public void What_a_change_leaves_acceptable_computes_the_same()
    {
        int trials = Soak ? 6000 : 500, done = 0, same = 0;
        var accepted = new Dictionary<string, int>();
        for (int seed = 1; done < trials; seed++)
        {
            var plan = PlanOf(seed);
            if (plan is null || plan.Schedule.Ops.Length > 500)
            {
                continue;
            }

            Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, plan.Workload.Model));
            var random = new Random(seed);
            string wanted = Normal(plan.Schedule);
            for (int i = 0; i < ScheduleMutations.Count && done < trials; i++, done++)
            {
                var mutant = ScheduleMutations.Apply(plan.Schedule, i, random);
                if (mutant == plan.Schedule)
                {
                    same++;
                    continue;
                }

                var read = Read(mutant);
                if (read is not null && ScheduleVerifier.Verify(read, plan.ArenaBudgets, plan.Workload.Model).Count == 0)
                {
                    string what = ScheduleMutations.NameOf(i);
                    accepted[what] = accepted.GetValueOrDefault(what) + 1;
                    Assert.True(wanted == Normal(read), $"seed {seed}, {what}: {FirstDifference(wanted, Normal(read))}");
                }
            }
        }

        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{done} changes, {same} of them none; accepted {string.Join(", ", accepted.Select(a => $"{a.Key} {a.Value}"))}"
            )
        );
    }

    /// <summary>
    /// What a step computes, without what may change and compute the same: waits (all conflicts are ordered, or it would be refused), the
    /// labels of copies (for people), spare room in slots and arenas, and the order of ops that find the same versions of all their
    /// operands. A step of rows a little shorter or fewer, padded, has the same ops: with such facts it is a schedule of that step.
    /// </summary>
    private static string Normal(Schedule s) =>
        string.Join(
            '\n',
            s.Ops.Where(IsCopy)
                .Select(op => $"{op.Kind} {Names(op, s)}")
                .Distinct()
                .Concat(
                    s.Ops.Where(op => !IsCopy(op))
                        .Select(op =>
                            $"{op.Kind} {op.Layer} {op.VocabularyBlock} {op.Chunk} {op.Round} {op.Segment} {op.Piece} {op.Saved} "
                                + $"{op.Wanted} "
                                + $"{Names(op, s)}"
                        )
                )
                .Order(StringComparer.Ordinal)
                .Concat(s.Facts.Where(f => f.Key is not ("seqlen" or "rows")).Select(f => $"{f.Key} {f.Value}"))
                .Concat(
                    new[] { s.Inputs, s.State, s.Outputs }.Select(list =>
                        string.Join(' ', list.Select(p => s.Objects[p.Object].Name).Distinct().Order(StringComparer.Ordinal))
                    )
                )
        );

    /// <summary>One that stands twice copies the same bytes again; of the others each counts.</summary>
    private static bool IsCopy(ScheduledOp op) => op.Kind is OpKind.Fetch or OpKind.Save;

    private static string Names(ScheduledOp op, Schedule s) =>
        string.Join(
            ' ',
            op.Accesses.Select(a =>
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{a.Role}={s.Objects[a.Object].Name}@{s.Slots[a.Slot].Name}[{a.Offset.Value}+{a.Length.Value}]{a.Mode}"
                )
            )
        );

    private static string FirstDifference(string wanted, string found)
    {
        var (a, b) = (wanted.Split('\n'), found.Split('\n'));
        return $"{string.Join(" | ", a.Except(b).Take(3))} became {string.Join(" | ", b.Except(a).Take(3))}";
    }

    private static Schedule? Read(Schedule mutant)
    {
        try
        {
            return ScheduleText.Parse(ScheduleText.Print(mutant));
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            return null;
        }
    }

    private static TrainingPlan? PlanOf(int seed)
    {
        try
        {
            if (seed % 3 == 0)
            {
                return RandomResidencies.Make(seed) is var (workload, _, residency) ? Planner.PlanFor(workload, residency) : null;
            }

            return Planner.Plan(RandomRequests.Make(seed, small: true)) is PlanResult.Feasible f ? f.Plan : null;
        }
        catch (UserErrorException)
        {
            return null;
        }
    }
}
