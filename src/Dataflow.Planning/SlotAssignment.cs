using System.Collections.Immutable;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>
/// Gives every pool slot and every home its bytes, puts the copies between the compute ops, and yields the schedule without waits.
/// Fetches are issued in their <see cref="FetchOrder"/>, each as early as its slot allows; saves in order of production.
/// </summary>
internal static class SlotAssignment
{
    private const int Device = 0;
    private const int Host = 1;
    private const int Compute = 0;
    private const int HostToDevice = 1;
    private const int DeviceToHost = 2;

    /// <param name="timer">What ops take, if that is known: then fetches are put in an order that keeps the link busy.</param>
    public static Schedule Assign(StepProgram program, TenancyResult tenancy, ImmutableArray<KeyValuePair<string, string>> facts, OpTimer? timer = null)
    {
        var (slots, deviceEnd) = DeviceSlots(program);
        var (homes, hostEnd) = Homes(program, tenancy, slots);
        ScheduledOp[] compute = [.. program.Ops.Select((op, i) => ComputeOp(op, tenancy.Slots[i]))];
        var fetches = timer is null
            ? FetchOrder.ByDeadline(tenancy.Copies)
            : FetchOrder.ByTime(tenancy.Copies, [.. compute.Select(op => timer.Of(op).Nanoseconds)], timer.Links);
        return Make(program, tenancy, compute, fetches, facts, homes, [new Arena("device", deviceEnd), new Arena("host", hostEnd)], [.. slots]);
    }

    /// <summary>The same in the arenas and slots of another schedule over the same pools, whose homes it shares.</summary>
    public static Schedule Within(Schedule other, StepProgram program, TenancyResult tenancy, ImmutableArray<KeyValuePair<string, string>> facts)
    {
        var byName = other.Slots.Select((s, i) => (s.Name, Index: i)).ToDictionary(s => s.Name, s => s.Index);
        var travels = tenancy.Copies.Select(c => c.Object).ToHashSet();
        var homes = Enumerable.Range(0, program.Objects.Length)
            .Where(o => travels.Contains(o) || byName.ContainsKey(HomeName(program.Objects[o])))
            .ToDictionary(o => o, o => byName[HomeName(program.Objects[o])]);
        ScheduledOp[] compute = [.. program.Ops.Select((op, i) => ComputeOp(op, tenancy.Slots[i]))];
        return Make(program, tenancy, compute, FetchOrder.ByDeadline(tenancy.Copies), facts, homes, other.Arenas, other.Slots);
    }

    private static (List<Slot> Slots, Bytes End) DeviceSlots(StepProgram program)
    {
        var slots = new List<Slot>();
        var deviceEnd = Bytes.Zero;
        foreach (var pool in program.Pools)
        {
            for (int i = 0; i < pool.SlotCount; i++)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"{pool.Name}.{i}");
                slots.Add(new Slot(name, Device, deviceEnd, pool.SlotLength));
                deviceEnd += pool.SlotLength;
            }
        }

        return (slots, deviceEnd);
    }

    private static string HomeName(StepObject item) => "home/" + item.Home;

    private static Schedule Make(
        StepProgram program, TenancyResult tenancy, ScheduledOp[] compute, IEnumerable<Travel> fetches, ImmutableArray<KeyValuePair<string, string>> facts,
        Dictionary<int, int> homes, ImmutableArray<Arena> arenas, ImmutableArray<Slot> slots)
    {
        var state = tenancy.Resident.Select(r => new Placement(r.Object, r.Slot))
            .Concat(tenancy.HomeValid.Order().Where(homes.ContainsKey).Select(o => new Placement(o, homes[o])));
        return new Schedule
        {
            Facts = facts,
            Arenas = arenas,
            Streams = ["compute", "h2d", "d2h"],
            Slots = slots,
            Objects = [.. program.Objects.Select(o => new DataObject(o.Name, o.Length))],
            Inputs = Placements(program, homes, Lifetime.Input),
            State = [.. state],
            Outputs = Placements(program, homes, Lifetime.Output),
            Ops = Ops(program, tenancy, compute, fetches, homes),
        };
    }

    private static (Dictionary<int, int> Homes, Bytes End) Homes(StepProgram program, TenancyResult tenancy, List<Slot> slots)
    {
        var travels = tenancy.Copies.Select(c => c.Object).ToHashSet();
        var byName = new Dictionary<string, int>();
        var homes = new Dictionary<int, int>();
        var end = Bytes.Zero;
        for (int o = 0; o < program.Objects.Length; o++)
        {
            var item = program.Objects[o];
            if (!travels.Contains(o))
            {
                continue;
            }

            if (!byName.TryGetValue(item.Home, out int slot))
            {
                byName[item.Home] = slot = slots.Count;
                slots.Add(new Slot(HomeName(item), Host, end, item.Length.Aligned));
                end += item.Length.Aligned;
            }

            homes[o] = slot;
        }

        return (homes, end);
    }

    private static ImmutableArray<Placement> Placements(StepProgram program, Dictionary<int, int> homes, Lifetime life) =>
        [.. Enumerable.Range(0, program.Objects.Length).Where(o => program.Objects[o].Life == life).Select(o => new Placement(o, homes[o]))];

    private static ImmutableArray<ScheduledOp> Ops(
        StepProgram program, TenancyResult tenancy, ScheduledOp[] compute, IEnumerable<Travel> fetches, Dictionary<int, int> homes)
    {
        var copiesAfter = new List<Travel>[program.Ops.Length + 1];
        foreach (var save in tenancy.Copies.Where(c => !c.Fetch).OrderBy(c => c.Object))
        {
            (copiesAfter[save.IssueAfter + 1] ??= []).Add(save);
        }

        int issue = -1;
        foreach (var fetch in fetches)
        {
            issue = Math.Max(issue, fetch.IssueAfter);
            (copiesAfter[issue + 1] ??= []).Add(fetch);
        }

        var ops = ImmutableArray.CreateBuilder<ScheduledOp>();
        for (int i = -1; i < program.Ops.Length; i++)
        {
            if (i >= 0)
            {
                ops.Add(compute[i]);
            }

            foreach (var copy in copiesAfter[i + 1] ?? [])
            {
                ops.Add(CopyOp(copy, program.Ops[copy.Deadline], homes[copy.Object]));
            }
        }

        return ops.ToImmutable();
    }

    private static ScheduledOp ComputeOp(StepOp op, ImmutableArray<int> slots) => new()
    {
        Kind = op.Kind,
        Stream = Compute,
        Layer = op.Layer,
        Block = op.Block,
        Chunk = op.Chunk,
        Round = op.Round,
        Segment = op.Segment,
        Piece = op.Piece,
        Saved = op.Saved,
        Wanted = op.Wanted,
        Accesses = [.. op.Uses.Select((u, i) => new Access(u.Role, u.Object, slots[i], u.Offset, u.Length, u.Mode))],
    };

    private static ScheduledOp CopyOp(Travel copy, StepOp cause, int home) => new()
    {
        Kind = copy.Fetch ? OpKind.Fetch : OpKind.Save,
        Stream = copy.Fetch ? HostToDevice : DeviceToHost,
        Layer = cause.Layer,
        Block = cause.Block,
        Chunk = cause.Chunk,
        Round = cause.Round,
        Accesses =
        [
            new Access(Roles.From, copy.Object, copy.Fetch ? home : copy.Slot, copy.Offset, copy.Length, AccessMode.Read),
            new Access(Roles.To, copy.Object, copy.Fetch ? copy.Slot : home, copy.Offset, copy.Length, AccessMode.Write),
        ],
    };
}
