using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>
/// The ops of a step that repeat: from <paramref name="First"/> to <paramref name="End"/> every op is followed, <paramref name="Length"/>
/// ops later, by one on the same stream, of the same cost, with the same waits moved by as many ops.
/// </summary>
internal readonly record struct StepPeriod(int First, int Length, int End)
{
    // Fewer repetitions are not worth looking for.
    private const int LeastRounds = 5;

    /// <summary>The step's longest repetition of a round; null if rounds differ.</summary>
    public static StepPeriod? Of(Schedule schedule, ReadOnlySpan<OpCost> costs)
    {
        var ops = schedule.Ops;
        int rounds = 0;
        foreach (var op in ops)
        {
            rounds = Math.Max(rounds, 1 + (op.Round?.Index ?? -1));
        }

        if (rounds < LeastRounds)
        {
            return null;
        }

        // The first and the last rounds are unlike the others: start in the middle.
        int middle = rounds / 2;
        int from = FirstOf(ops, middle), length = FirstOf(ops, middle + 1) - from;
        if (from < 0 || length <= 0)
        {
            return null;
        }

        int end = from;
        while (end + length < ops.Length && Repeats(ops, costs, end, length))
        {
            end++;
        }

        int first = from;
        while (first > 0 && Repeats(ops, costs, first - 1, length))
        {
            first--;
        }

        return end + length - first >= 3 * length ? new StepPeriod(first, length, end + length) : null;
    }

    private static int FirstOf(System.Collections.Immutable.ImmutableArray<ScheduledOp> ops, int round)
    {
        for (int i = 0; i < ops.Length; i++)
        {
            if (ops[i].Round?.Index == round && ops[i].Stream == StepStreams.Compute)
            {
                return i;
            }
        }

        return -1;
    }

    private static bool Repeats(
        System.Collections.Immutable.ImmutableArray<ScheduledOp> ops,
        ReadOnlySpan<OpCost> costs,
        int op,
        int length
    )
    {
        var (one, next) = (ops[op], ops[op + length]);
        if (one.Stream != next.Stream || costs[op] != costs[op + length] || one.Waits.Length != next.Waits.Length)
        {
            return false;
        }

        for (int w = 0; w < one.Waits.Length; w++)
        {
            if (one.Waits[w].Distance != 0 || next.Waits[w].Distance != 0 || one.Waits[w].Op + length != next.Waits[w].Op)
            {
                return false;
            }
        }

        return true;
    }
}
