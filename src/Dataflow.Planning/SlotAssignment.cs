using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
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
    private const int Nowhere = -1;

    /// <param name="program">The step's compute ops and objects.</param>
    /// <param name="tenancy">Which slot each use is in, and the copies that follow.</param>
    /// <param name="facts">What the schedule says about itself.</param>
    /// <param name="timer">What ops take, if that is known: then fetches are put in an order that keeps the link busy.</param>
    public static Schedule Assign(
        StepProgram program,
        TenancyResult tenancy,
        ImmutableArray<KeyValuePair<string, string>> facts,
        OpTimer? timer = null
    )
    {
        var (slots, deviceEnd) = DeviceSlots(program);
        var (homes, hostEnd) = Homes(program, tenancy, slots);
        var compute = ComputeOps(program, tenancy);
        var fetches = timer is null
            ? FetchOrder.ByDeadline(tenancy.Copies)
            : FetchOrder.ByTime(tenancy.Copies, [.. compute.Select(op => timer.Of(op).Nanoseconds)], timer.Links);
        return Make(
            program,
            tenancy,
            compute,
            fetches,
            facts,
            homes,
            [new Arena("device", deviceEnd), new Arena("host", hostEnd)],
            [.. slots]
        );
    }

    /// <summary>The same in the arenas and slots of another schedule over the same pools, whose homes it shares.</summary>
    public static Schedule Within(
        Schedule other,
        StepProgram program,
        TenancyResult tenancy,
        ImmutableArray<KeyValuePair<string, string>> facts
    )
    {
        var byName = other.Slots.Select((s, i) => (s.Name, Index: i)).ToDictionary(s => s.Name, s => s.Index);
        bool[] travels = Travels(program, tenancy);
        int[] homes =
        [
            .. program.Objects.Select(
                (item, o) =>
                    byName.TryGetValue(HomeName(item), out int slot) ? slot
                    : travels[o] ? throw new InvalidOperationException($"{item.Name} travels, but the other schedule has no home for it")
                    : Nowhere
            ),
        ];
        return Make(
            program,
            tenancy,
            ComputeOps(program, tenancy),
            FetchOrder.ByDeadline(tenancy.Copies),
            facts,
            homes,
            other.Arenas,
            other.Slots
        );
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
        StepProgram program,
        TenancyResult tenancy,
        ScheduledOp[] compute,
        IEnumerable<Travel> fetches,
        ImmutableArray<KeyValuePair<string, string>> facts,
        int[] homes,
        ImmutableArray<Arena> arenas,
        ImmutableArray<Slot> slots
    )
    {
        var state = tenancy.Resident.Select(r => new Placement(r.Object, r.Slot))
            .Concat(tenancy.HomeValid.Where(o => homes[o] != Nowhere).Select(o => new Placement(o, homes[o])));
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

    /// <summary>The host slot of every object that travels, or <see cref="Nowhere"/>; adds these slots to those of the device.</summary>
    private static (int[] Homes, Bytes End) Homes(StepProgram program, TenancyResult tenancy, List<Slot> slots)
    {
        bool[] travels = Travels(program, tenancy);
        var byName = new Dictionary<string, int>();
        int[] homes = new int[travels.Length];
        var end = Bytes.Zero;
        for (int o = 0; o < homes.Length; o++)
        {
            homes[o] = Nowhere;
            if (!travels[o])
            {
                continue;
            }

            var item = program.Objects[o];
            if (!byName.TryGetValue(item.Home, out homes[o]))
            {
                byName[item.Home] = homes[o] = slots.Count;
                slots.Add(new Slot(HomeName(item), Host, end, item.Length.Aligned));
                end += item.Length.Aligned;
            }
        }

        return (homes, end);
    }

    private static bool[] Travels(StepProgram program, TenancyResult tenancy)
    {
        bool[] travels = new bool[program.Objects.Length];
        foreach (var copy in tenancy.Copies)
        {
            travels[copy.Object] = true;
        }

        return travels;
    }

    private static ImmutableArray<Placement> Placements(StepProgram program, int[] homes, Lifetime life)
    {
        var placements = ImmutableArray.CreateBuilder<Placement>();
        for (int o = 0; o < homes.Length; o++)
        {
            if (program.Objects[o].Life == life)
            {
                placements.Add(new Placement(o, homes[o]));
            }
        }

        return placements.ToImmutable();
    }

    private static ImmutableArray<ScheduledOp> Ops(
        StepProgram program, TenancyResult tenancy, ScheduledOp[] compute, IEnumerable<Travel> orderedFetches, int[] homes)
    {
        int count = program.Ops.Length;
        var saves = InOrder(tenancy.Copies.Where(c => !c.Fetch).OrderBy(c => c.Object), c => c.IssueAfter, count);
        Travel[] fetches = [.. orderedFetches];
        var ops = new ScheduledOp[count + tenancy.Copies.Length];
        int next = 0, save = 0, fetch = 0;
        for (int i = -1; i < count; i++)
        {
            if (i >= 0)
            {
                ops[next++] = compute[i];
            }

            for (; save < saves.Length && saves[save].IssueAfter == i; save++)
            {
                ops[next++] = CopyOp(saves[save], program.Ops[saves[save].Deadline], homes[saves[save].Object]);
            }

            // A fetch that must wait holds up those behind it.
            for (; fetch < fetches.Length && fetches[fetch].IssueAfter <= i; fetch++)
            {
                ops[next++] = CopyOp(fetches[fetch], program.Ops[fetches[fetch].Deadline], homes[fetches[fetch].Object]);
            }
        }

        return ImmutableCollectionsMarshal.AsImmutableArray(ops);
    }

    /// <summary>Copies by an op of theirs, from -1 to count; those of the same op stay in order.</summary>
    private static Travel[] InOrder(IEnumerable<Travel> copies, Func<Travel, int> opOf, int count)
    {
        Travel[] given = [.. copies];
        int[] at = new int[count + 2];
        foreach (ref readonly var copy in given.AsSpan())
        {
            at[opOf(copy) + 2]++;
        }

        for (int i = 1; i < at.Length; i++)
        {
            at[i] += at[i - 1];
        }

        var ordered = new Travel[given.Length];
        foreach (ref readonly var copy in given.AsSpan())
        {
            ordered[at[opOf(copy) + 1]++] = copy;
        }

        return ordered;
    }

    private static ScheduledOp[] ComputeOps(StepProgram program, TenancyResult tenancy)
    {
        var ops = new ScheduledOp[program.Ops.Length];
        int use = 0;
        for (int i = 0; i < ops.Length; i++)
        {
            int uses = program.Ops[i].Uses.Length;
            ops[i] = ComputeOp(program.Ops[i], tenancy.Slots.AsSpan(use, uses));
            use += uses;
        }

        return ops;
    }

    private static ScheduledOp ComputeOp(StepOp op, ReadOnlySpan<int> slots) => new()
    {
        Kind = op.Kind,
        Stream = Compute,
        Layer = op.Layer,
        VocabularyBlock = op.Block,
        Chunk = op.Chunk,
        Round = op.Round,
        Segment = op.Segment,
        Piece = op.Piece,
        Saved = op.Saved,
        Wanted = op.Wanted,
        Accesses = Accesses(op.Uses.AsSpan(), slots),
    };

    private static ImmutableArray<Access> Accesses(ReadOnlySpan<Use> uses, ReadOnlySpan<int> slots)
    {
        var accesses = new Access[uses.Length];
        for (int i = 0; i < accesses.Length; i++)
        {
            ref readonly var use = ref uses[i];
            accesses[i] = new Access(use.Role, use.Object, slots[i], use.Offset, use.Length, use.Mode);
        }

        return ImmutableCollectionsMarshal.AsImmutableArray(accesses);
    }

    private static ScheduledOp CopyOp(Travel copy, StepOp cause, int home) => new()
    {
        Kind = copy.Fetch ? OpKind.Fetch : OpKind.Save,
        Stream = copy.Fetch ? HostToDevice : DeviceToHost,
        Layer = cause.Layer,
        VocabularyBlock = cause.Block,
        Chunk = cause.Chunk,
        Round = cause.Round,
        Accesses =
        [
            new Access(Roles.From, copy.Object, copy.Fetch ? home : copy.Slot, copy.Offset, copy.Length, AccessMode.Read),
            new Access(Roles.To, copy.Object, copy.Fetch ? copy.Slot : home, copy.Offset, copy.Length, AccessMode.Write),
        ],
    };
}
