namespace Dataflow.Schedules.Tests;

/// <summary>
/// The definition of rules value and tenancy, byte by byte: which version of which object's byte each byte of each slot holds.
/// </summary>
internal sealed class ByteSimulation
{
    private readonly Schedule schedule;
    private readonly (int Object, long At, int Version)[][] held;
    private readonly int[][] latest;
    private int versions = 1;

    public ByteSimulation(Schedule schedule)
    {
        this.schedule = schedule;
        held = [.. schedule.Slots.Select(s => new (int, long, int)[s.Length.Value])];
        latest = [.. schedule.Objects.Select(o => new int[o.Length.Value])];
        foreach (Placement p in schedule.Inputs.Concat(schedule.State))
        {
            for (int i = 0; i < latest[p.Object].Length; i++)
            {
                held[p.Slot][i] = (p.Object, i, 1);
                latest[p.Object][i] = 1;
            }
        }
    }

    /// <summary>Every read finds what it should, and state and outputs are in place at the end.</summary>
    public static bool Accepts(Schedule schedule)
    {
        var simulation = new ByteSimulation(schedule);
        bool good = true;
        foreach (ScheduledOp op in schedule.Ops)
        {
            good &= simulation.Run(op);
        }

        return good && schedule.State.Concat(schedule.Outputs).All(simulation.Holds);
    }

    /// <summary>The object whose latest byte a byte of a slot holds, or null.</summary>
    public int? CurrentTenant(int slot, int at)
    {
        (int o, long from, int version) = held[slot][at];
        return version > 0 && from == at && latest[o][at] == version ? o : null;
    }

    /// <summary>The object is in the slot, whole and latest.</summary>
    public bool Holds(Placement p) => Enumerable.Range(0, latest[p.Object].Length).All(i => CurrentTenant(p.Slot, i) == p.Object);

    /// <summary>Runs an op; false if it read something it should not.</summary>
    public bool Run(ScheduledOp op)
    {
        bool good = op.Accesses.Where(a => a.Reads).All(a => Range(a).All(i => CurrentTenant(a.Slot, i) == a.Object));
        if (op.Kind is OpKind.Fetch or OpKind.Save)
        {
            Access from = op.Accesses.First(a => a.Reads);
            Access to = op.Accesses.First(a => a.Writes);
            foreach (int i in Range(from))
            {
                held[to.Slot][i] = held[from.Slot][i];
            }

            return good;
        }

        foreach (Access access in op.Accesses.Where(a => a.Writes))
        {
            versions++;
            foreach (int i in Range(access))
            {
                held[access.Slot][i] = (access.Object, i, versions);
                latest[access.Object][i] = versions;
            }
        }

        return good;
    }

    private static IEnumerable<int> Range(Access a) => Enumerable.Range((int)a.Offset.Value, (int)a.Length.Value);
}
