using Dataflow.Model;
using Dataflow.Schedules.Internals;

namespace Dataflow.Schedules;

/// <summary>
/// Decides whether a schedule may run. It believes nothing that made the schedule: it shares no code with
/// <see cref="WaitInference"/> and re-derives every hazard and every value from the accesses alone.
///
/// <list type="bullet">
/// <item><c>structure</c>: indices name things that exist, slots lie apart inside their arenas, objects fit, copies copy, waits point
/// back;</item>
/// <item><c>budget</c>: no arena is longer than its budget;</item>
/// <item><c>hazard</c>: any two ops that access a common byte, one writing, are ordered by FIFO streams and waits, within a step and
/// across the border to the next; exactly those that are not are reported;</item>
/// <item><c>value</c>: every byte read is the latest version of the object's byte, written in this step, or state or input at its
/// start;</item>
/// <item><c>tenancy</c>: at the end of the step state and outputs are in their places, whole and latest, so that the end is a start;</item>
/// <item><c>facts</c>, <c>step</c>: where the model is given, the schedule says what step it is, and computes that: all of it, on the right
/// objects, in an order that gives the same results.</item>
/// </list>
/// </summary>
public static class ScheduleVerifier
{
    /// <summary>No more errors than this are reported: the first ones tell.</summary>
    public const int MaxErrors = 100;

    /// <summary>
    /// All errors (at most <see cref="MaxErrors"/>), none if the schedule may run. The other rules presuppose structure: where that is
    /// broken, only structure and budget are reported.
    /// </summary>
    /// <param name="schedule">What to verify.</param>
    /// <param name="budgets">The most each arena may take, by index; null to leave the budgets out.</param>
    /// <param name="model">The model whose step it is to be; null: only the bytes are looked at.</param>
    public static IReadOnlyList<ScheduleError> Verify(Schedule schedule, IReadOnlyList<Bytes>? budgets = null, ModelConfig? model = null)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        var errors = new ErrorList(schedule);
        new StructureRule(schedule, errors).Check();
        bool sound = errors.Count == 0;
        if (budgets is not null)
        {
            CheckBudgets(schedule, budgets, errors);
        }

        if (sound)
        {
            HazardRule.Check(schedule, errors);
            ValueRule.Check(schedule, errors);
            CheckStep(schedule, model, errors);
        }

        return errors.ToList();
    }

    private static void CheckStep(Schedule schedule, ModelConfig? model, ErrorList errors)
    {
        if (model is null)
        {
            return;
        }

        if (StepFacts.Read(schedule, model, out var workload) is { } fault)
        {
            errors.Add("facts", null, fault);
        }
        else
        {
            StepRule.Check(schedule, workload!, errors);
        }
    }

    private static void CheckBudgets(Schedule schedule, IReadOnlyList<Bytes> budgets, ErrorList errors)
    {
        ReadOnlySpan<Arena> arenas = schedule.Arenas.AsSpan();
        if (budgets.Count != arenas.Length)
        {
            errors.Add("budget", null, $"{budgets.Count} budgets were given for {arenas.Length} arenas");
        }

        for (int a = 0; a < Math.Min(arenas.Length, budgets.Count); a++)
        {
            if (arenas[a].Length > budgets[a])
            {
                errors.Add(
                    "budget",
                    null,
                    $"arena {arenas[a].Name} takes {arenas[a].Length.Value} bytes ({arenas[a].Length}), its budget is {budgets[a].Value} "
                        + $"({budgets[a]})"
                );
            }
        }
    }
}
