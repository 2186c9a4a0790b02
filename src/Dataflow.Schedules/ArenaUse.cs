using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Schedules;

/// <summary>Bytes that come into use at a time (or, where negative, go out of use).</summary>
public readonly record struct UseChange(long Nanoseconds, Bytes Change);

/// <summary>
/// What lives in an arena over the time of a step. Slots are fixed for good; in use is an object from the start of the first op that
/// accesses it in its slot to the end of the last one before another moves in. State is in use from the step's start and to its end.
/// </summary>
public static class ArenaUse
{
    /// <summary>Changes of the bytes in use, by time; they sum up from nothing to nothing.</summary>
    /// <param name="schedule">The step.</param>
    /// <param name="timeline">When each of its ops runs.</param>
    /// <param name="arena">Index into <see cref="Schedule.Arenas"/>.</param>
    public static ImmutableArray<UseChange> Changes(Schedule schedule, Timeline timeline, int arena)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        ArgumentNullException.ThrowIfNull(timeline);
        var tenants = new Dictionary<int, (int Object, long From, long To)>();
        var changes = ImmutableArray.CreateBuilder<UseChange>();
        void Leave((int Object, long From, long To) tenant)
        {
            changes.Add(new(tenant.From, schedule.Objects[tenant.Object].Length));
            changes.Add(new(tenant.To, Bytes.Zero - schedule.Objects[tenant.Object].Length));
        }

        foreach (var placement in schedule.State.Concat(schedule.Inputs).Where(p => schedule.Slots[p.Slot].Arena == arena))
        {
            tenants[placement.Slot] = (placement.Object, 0, 0);
        }

        for (int i = 0; i < schedule.Ops.Length; i++)
        {
            foreach (var access in schedule.Ops[i].Accesses)
            {
                if (schedule.Slots[access.Slot].Arena != arena)
                {
                    continue;
                }

                var time = timeline.Ops[i];
                bool occupied = tenants.TryGetValue(access.Slot, out var tenant);
                if (occupied && tenant.Object == access.Object)
                {
                    tenants[access.Slot] = tenant with { To = Math.Max(tenant.To, time.End) };
                    continue;
                }

                if (occupied)
                {
                    Leave(tenant);
                }

                tenants[access.Slot] = (access.Object, time.Start, time.End);
            }
        }

        var lasting = schedule.State.Concat(schedule.Outputs).ToHashSet();
        foreach (var (slot, tenant) in tenants)
        {
            Leave(
                lasting.Contains(new Placement(tenant.Object, slot))
                    ? tenant with
                    {
                        To = Math.Max(tenant.To, timeline.StepNanoseconds),
                    }
                    : tenant
            );
        }

        changes.Sort(
            (a, b) => a.Nanoseconds != b.Nanoseconds ? a.Nanoseconds.CompareTo(b.Nanoseconds) : a.Change.Value.CompareTo(b.Change.Value)
        );
        return changes.ToImmutable();
    }
}
