using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow;

/// <summary>What one kind of object takes of each arena.</summary>
public sealed record KindMemory(string Kind, int DeviceSlots, Bytes Device, int HostSlots, Bytes Host);

/// <summary>The slots of a schedule by the kind of object that lives in them.</summary>
public static class ObjectMemory
{
    private const int Device = 0;

    /// <summary>
    /// All that a plan takes, largest first: what the slots hold, what lies between slots, and what is reserved beside the device arena. It
    /// adds up to both peaks.
    /// </summary>
    public static IReadOnlyList<KindMemory> Of(TrainingPlan plan)
    {
        var kinds = ByKind(plan.Schedule);
        var between = new KindMemory(
            "between slots",
            0,
            plan.DevicePeak - plan.Reserved - Sum(kinds.Select(k => k.Device)),
            0,
            plan.HostPeak - Sum(kinds.Select(k => k.Host))
        );
        var reserve = new KindMemory("reserve (context, kernels, libraries)", 0, plan.Reserved, 0, Bytes.Zero);
        return [.. kinds, .. new[] { between, reserve }.Where(k => k.Device != Bytes.Zero || k.Host != Bytes.Zero)];
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
            .. schedule.Slots.Select((slot, i) => (Slot: slot, Kind: kinds[i] ?? "unused"))
                .GroupBy(s => s.Kind)
                .Select(g => new KindMemory(
                    g.Key,
                    g.Count(s => s.Slot.Arena == Device), Sum(g.Where(s => s.Slot.Arena == Device).Select(s => s.Slot)),
                    g.Count(s => s.Slot.Arena != Device), Sum(g.Where(s => s.Slot.Arena != Device).Select(s => s.Slot))))
                .OrderByDescending(k => k.Device.Value + k.Host.Value).ThenBy(k => k.Kind, StringComparer.Ordinal),
        ];
    }

    private static Bytes Sum(IEnumerable<Slot> slots) => Sum(slots.Select(s => s.Length));

    private static Bytes Sum(IEnumerable<Bytes> sizes) => sizes.Aggregate(Bytes.Zero, (sum, s) => sum + s);
}
