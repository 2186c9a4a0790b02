using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow;

/// <summary>What is alive on the device over a step: the bytes of every object from its first use in a slot to its last.</summary>
public sealed class Occupancy
{
    private readonly Schedule schedule;
    private readonly Dictionary<string, long[]> changes = [];

    /// <summary>Follows the objects of a schedule.</summary>
    public Occupancy(Schedule schedule)
    {
        this.schedule = schedule;
        var lasting = schedule.State.Select(p => p.Object).ToHashSet();
        var open = new Dictionary<int, (int Object, int First, int Last)>();
        foreach (var placement in schedule.State.Where(p => schedule.IsIn(MemoryTier.Device, p.Slot)))
        {
            open[placement.Slot] = (placement.Object, 0, 0);
        }

        for (int i = 0; i < schedule.Ops.Length; i++)
        {
            foreach (var access in schedule.Ops[i].Accesses.Where(a => schedule.IsIn(MemoryTier.Device, a.Slot)))
            {
                if (open.TryGetValue(access.Slot, out var tenant) && tenant.Object != access.Object)
                {
                    // What outlives the step stays until the next tenant moves in.
                    Add(tenant.Object, tenant.First, lasting.Contains(tenant.Object) ? i - 1 : tenant.Last);
                    open.Remove(access.Slot);
                }

                open[access.Slot] = (access.Object, open.TryGetValue(access.Slot, out var same) ? same.First : i, i);
            }
        }

        foreach (var (obj, first, last) in open.Values)
        {
            Add(obj, first, lasting.Contains(obj) ? schedule.Ops.Length - 1 : last);
        }
    }

    /// <summary>Live bytes by kind of object after each op; kinds in the order of their peaks.</summary>
    public IReadOnlyList<(string Kind, long[] Bytes)> ByKind => [.. changes
        .Select(c => (c.Key, Bytes: Sums(c.Value)))
        .OrderByDescending(c => c.Bytes.Max()).ThenBy(c => c.Key, StringComparer.Ordinal)];

    /// <summary>A line for each of so many points of the step.</summary>
    public void WriteTo(TextWriter output, int points)
    {
        const int bar = 30, columns = 5;
        var kinds = ByKind;
        long arena = schedule.LengthOf(MemoryTier.Device).Value;
        output.WriteLine($"Device memory over the step ({schedule.LengthOf(MemoryTier.Device)} in slots; # is what lives in them)");
        var table = new TextTable(["op", "", "live", "", .. kinds.Take(columns).Select(k => k.Kind)]);
        for (int p = 0; p < points; p++)
        {
            int op = (int)((long)(schedule.Ops.Length - 1) * p / Math.Max(1, points - 1));
            long live = kinds.Sum(k => k.Bytes[op]);
            table.Add([
                $"{op:N0}",
                ScheduleText.NameOf(schedule, op).Split(' ', 3)[^1],
                new Bytes(live).ToString(),
                new string('#', (int)(live * bar / arena)).PadRight(bar, '.'),
                .. kinds.Take(columns).Select(k => new Bytes(k.Bytes[op]).ToString()),
            ]);
        }

        table.WriteTo(output);
    }

    private void Add(int obj, int first, int last)
    {
        string kind = ShownNames.KindOf(schedule.Objects[obj].Name);
        long[] steps = changes.TryGetValue(kind, out long[]? known) ? known : changes[kind] = new long[schedule.Ops.Length + 1];
        steps[first] += schedule.Objects[obj].Length.Value;
        steps[last + 1] -= schedule.Objects[obj].Length.Value;
    }

    private static long[] Sums(long[] steps)
    {
        long sum = 0;
        return [.. steps[..^1].Select(s => sum += s)];
    }
}
