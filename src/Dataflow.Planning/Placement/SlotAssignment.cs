using System.Collections.Immutable;
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
        var compute = ComputeOps(program, tenancy);
        var fetches = Travels.Fetches(tenancy.Copies, compute.Length);
        var saves = Travels.Saves(tenancy.Copies, compute.Length);
        if (timer is not null)
        {
            fetches = FetchOrder.ByTime(fetches, saves, Array.ConvertAll(compute, op => timer.Of(op).Nanoseconds), timer.Links);
        }

        var places = StepPlaces.Of(program, tenancy);
        return Make(program, tenancy, Ops(program, compute, fetches, saves, places), facts, places);
    }

    /// <summary>The same in the arenas and slots of another schedule over the same pools, whose homes it shares.</summary>
    public static Schedule Within(
        Schedule other,
        StepProgram program,
        TenancyResult tenancy,
        ImmutableArray<KeyValuePair<string, string>> facts
    )
    {
        var places = StepPlaces.Within(other, program, tenancy);
        var compute = ComputeOps(program, tenancy);
        var fetches = Travels.Fetches(tenancy.Copies, compute.Length);
        var saves = Travels.Saves(tenancy.Copies, compute.Length);
        return Make(program, tenancy, Ops(program, compute, fetches, saves, places), facts, places);
    }

    private static Schedule Make(
        StepProgram program,
        TenancyResult tenancy,
        ImmutableArray<ScheduledOp> ops,
        ImmutableArray<KeyValuePair<string, string>> facts,
        StepPlaces places
    )
    {
        var atHome = tenancy.HomeValid.Select(o => new Placement(o, places.HomeOf(o))).Where(p => p.Slot != StepPlaces.Nowhere);
        return new Schedule
        {
            Facts = facts,
            Arenas = places.Arenas,
            Streams = StepStreams.Of(places.Arenas.Length),
            Slots = places.Slots,
            Objects = [.. program.Objects.Select(o => new DataObject(o.Name, o.Length))],
            Inputs = Placements(program, places, Lifetime.Input),
            State = [.. tenancy.Resident.Select(r => new Placement(r.Object, r.Slot)), .. atHome],
            Outputs = Placements(program, places, Lifetime.Output),
            Ops = ops,
        };
    }

    private static ImmutableArray<Placement> Placements(StepProgram program, StepPlaces places, Lifetime life)
    {
        var placements = ImmutableArray.CreateBuilder<Placement>();
        for (int o = 0; o < program.Objects.Length; o++)
        {
            if (program.Objects[o].Life == life)
            {
                placements.Add(new Placement(o, places.HomeOf(o)));
            }
        }

        return placements.ToImmutable();
    }

    private static ImmutableArray<ScheduledOp> Ops(
        StepProgram program,
        ScheduledOp[] compute,
        Travel[] fetches,
        Travel[] saves,
        StepPlaces places
    )
    {
        int count = program.Ops.Length;
        var ops = ImmutableArray.CreateBuilder<ScheduledOp>(count + fetches.Length + saves.Length);
        int save = 0, fetch = 0;
        for (int i = -1; i < count; i++)
        {
            if (i >= 0)
            {
                ops.Add(compute[i]);
            }

            for (; save < saves.Length && saves[save].IssueAfter == i; save++)
            {
                AddCopy(ops, saves[save], program.Ops[saves[save].Deadline], places);
            }

            // A fetch that must wait holds up those behind it.
            for (; fetch < fetches.Length && fetches[fetch].IssueAfter <= i; fetch++)
            {
                AddCopy(ops, fetches[fetch], program.Ops[fetches[fetch].Deadline], places);
            }
        }

        return ops.DrainToImmutable();
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
        Stream = StepStreams.Compute,
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

    /// <summary>
    /// An op for every link between the object's home and its slot. How early each runs is up to its own stream and waits.
    /// </summary>
    private static void AddCopy(ImmutableArray<ScheduledOp>.Builder ops, in Travel copy, StepOp cause, StepPlaces places)
    {
        int[] path = places.PathOf(copy);
        for (int hop = 1; hop < path.Length; hop++)
        {
            var far = new MemoryTier(copy.Fetch ? path.Length - hop : hop);
            var link = copy.Fetch ? LinkDirection.From(far) : LinkDirection.To(far);
            ops.Add(CopyOp(copy, cause, link, path[link.Source.Index], path[link.Target.Index]));
        }
    }

    private static ScheduledOp CopyOp(in Travel copy, StepOp cause, LinkDirection link, int from, int to) => new()
    {
        Kind = copy.Fetch ? OpKind.Fetch : OpKind.Save,
        Stream = StepStreams.Of(link),
        Layer = cause.Layer,
        VocabularyBlock = cause.Block,
        Chunk = cause.Chunk,
        Round = cause.Round,
        Accesses =
        [
            new Access(Roles.From, copy.Object, from, copy.Offset, copy.Length, AccessMode.Read),
            new Access(Roles.To, copy.Object, to, copy.Offset, copy.Length, AccessMode.Write),
        ],
    };
}
