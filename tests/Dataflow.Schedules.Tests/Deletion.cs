namespace Dataflow.Schedules.Tests;

/// <summary>Schedules that differ in their waits alone.</summary>
internal static class Deletion
{
    /// <summary>The schedule with each one of its waits deleted in turn.</summary>
    public static IEnumerable<Schedule> All(Schedule schedule)
    {
        for (int i = 0; i < schedule.Ops.Length; i++)
        {
            for (int w = 0; w < schedule.Ops[i].Waits.Length; w++)
            {
                yield return WithWaits(schedule, i, schedule.Ops[i].Waits.RemoveAt(w));
            }
        }
    }

    /// <summary>The schedule with a wait chosen at random deleted, if it has one.</summary>
    public static Schedule One(Schedule schedule, Random random)
    {
        int[] waiting = [.. Enumerable.Range(0, schedule.Ops.Length).Where(i => schedule.Ops[i].Waits.Length > 0)];
        if (waiting.Length == 0)
        {
            return schedule;
        }

        int op = waiting[random.Next(waiting.Length)];
        return WithWaits(schedule, op, schedule.Ops[op].Waits.RemoveAt(random.Next(schedule.Ops[op].Waits.Length)));
    }

    /// <summary>The schedule with some legal waits added at random, needed or not.</summary>
    public static Schedule WithMore(Schedule schedule, Random random, int count)
    {
        for (int k = 0; k < count; k++)
        {
            int op = random.Next(schedule.Ops.Length);
            int distance = random.Next(2);
            int other = random.Next(schedule.Ops.Length);
            if ((distance == 1 || other < op) && schedule.Ops[other].Stream != schedule.Ops[op].Stream)
            {
                schedule = WithWaits(schedule, op, schedule.Ops[op].Waits.Add(new Wait(other, distance)));
            }
        }

        return schedule;
    }

    private static Schedule WithWaits(Schedule schedule, int op, System.Collections.Immutable.ImmutableArray<Wait> waits) =>
        schedule with { Ops = schedule.Ops.SetItem(op, schedule.Ops[op] with { Waits = waits }) };
}
