using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow.Cli;

/// <summary>What one kind of object takes of each arena.</summary>
internal sealed record KindMemory(string Kind, int DeviceSlots, Bytes Device, int HostSlots, Bytes Host);

/// <summary>The slots of a schedule by the kind of object that lives in them.</summary>
internal static class ObjectMemory
{
    private const int Device = 0;

    /// <summary>Largest first.</summary>
    public static IReadOnlyList<KindMemory> ByKind(Schedule schedule)
    {
        string?[] kinds = new string?[schedule.Slots.Length];
        foreach (var access in schedule.Ops.SelectMany(o => o.Accesses))
        {
            kinds[access.Slot] ??= PlanTraffic.KindOf(schedule.Objects[access.Object].Name);
        }

        foreach (var placement in schedule.State.Concat(schedule.Inputs).Concat(schedule.Outputs))
        {
            kinds[placement.Slot] ??= PlanTraffic.KindOf(schedule.Objects[placement.Object].Name);
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

    private static Bytes Sum(IEnumerable<Slot> slots) => slots.Aggregate(Bytes.Zero, (sum, s) => sum + s.Length);
}
