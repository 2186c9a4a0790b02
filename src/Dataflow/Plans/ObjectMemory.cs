using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow;

/// <summary>Slots of an arena and the bytes that they take.</summary>
public readonly record struct SlotMemory(int Slots, Bytes Bytes);

/// <summary>What one kind of object takes of each arena.</summary>
/// <param name="Kind">What people call it.</param>
/// <param name="ByTier">Of each arena, in the order of the schedule's.</param>
public sealed record KindMemory(string Kind, ImmutableArray<SlotMemory> ByTier)
{
    /// <summary>Bytes of all arenas together.</summary>
    public Bytes Total => new(ByTier.Sum(t => t.Bytes.Value));
}

/// <summary>The slots of a schedule by the kind of object that lives in them.</summary>
public static class ObjectMemory
{
    /// <summary>
    /// All that a plan takes, largest first: what the slots hold, what lies between slots, and what is reserved beside the device arena. It
    /// adds up to the peaks.
    /// </summary>
    public static IReadOnlyList<KindMemory> Of(TrainingPlan plan)
    {
        var kinds = ByKind(plan.Schedule);
        KindMemory Beside(string kind, Func<MemoryTier, Bytes> bytes) =>
            new(kind, [.. plan.Tiers.Select(t => new SlotMemory(0, bytes(t)))]);
        KindMemory[] others =
        [
            Beside("between slots", t => plan.Schedule.LengthOf(t) - new Bytes(kinds.Sum(k => k.ByTier[t.Index].Bytes.Value))),
            Beside("reserve (context, kernels, libraries)", plan.ReservedOf),
        ];
        return [.. kinds, .. others.Where(k => k.ByTier.Any(t => t.Bytes != Bytes.Zero))];
    }

    /// <summary>What the slots hold, largest first.</summary>
    public static IReadOnlyList<KindMemory> ByKind(Schedule schedule)
    {
        string?[] kinds = new string?[schedule.Slots.Length];
        foreach (var access in schedule.Ops.SelectMany(o => o.Accesses))
        {
            kinds[access.Slot] ??= ShownNames.KindOf(schedule.Objects[access.Object].Name);
        }

        foreach (var placement in schedule.State.Concat(schedule.Inputs).Concat(schedule.Outputs))
        {
            kinds[placement.Slot] ??= ShownNames.KindOf(schedule.Objects[placement.Object].Name);
        }

        return
        [
            .. schedule
                .Slots.Select((slot, i) => (Slot: slot, Kind: kinds[i] ?? "unused"))
                .GroupBy(s => s.Kind, s => s.Slot)
                .Select(g => new KindMemory(g.Key, [.. schedule.Arenas.Select((_, arena) => Of(g.Where(s => s.Arena == arena)))]))
                .OrderByDescending(k => k.Total.Value)
                .ThenBy(k => k.Kind, StringComparer.Ordinal),
        ];
    }

    private static SlotMemory Of(IEnumerable<Slot> slots) => new(slots.Count(), new Bytes(slots.Sum(s => s.Length.Value)));
}
