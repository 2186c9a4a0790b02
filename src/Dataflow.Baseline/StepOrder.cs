using Dataflow.Schedules;

namespace Dataflow.Baseline;

/// <summary>Adds waits that no byte asks for to a schedule whose waits were inferred.</summary>
internal static class StepOrder
{
    /// <summary>
    /// An op keeps one wait a stream and distance, the latest, as streams are first in, first out; none on its own stream in its own step.
    /// </summary>
    public static Schedule Add(Schedule schedule, IEnumerable<(int Op, Wait Wait)> orders)
    {
        var ops = schedule.Ops.ToArray();
        foreach (var (op, wait) in orders)
        {
            int stream = ops[wait.Op].Stream;
            if (stream == ops[op].Stream)
            {
                continue;
            }

            var same = ops[op].Waits.Where(w => w.Distance == wait.Distance && ops[w.Op].Stream == stream).ToList();
            if (same.TrueForAll(w => w.Op < wait.Op))
            {
                ops[op] = ops[op] with { Waits = [.. ops[op].Waits.Except(same).Append(wait).OrderBy(w => w.Distance).ThenBy(w => w.Op)] };
            }
        }

        return schedule with { Ops = [.. ops] };
    }
}
