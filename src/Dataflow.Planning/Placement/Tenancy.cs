using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>A copy between an object's home and its slot on the device.</summary>
/// <param name="Fetch">From home to the slot; otherwise a save, from the slot to home.</param>
/// <param name="Object">Index of the object.</param>
/// <param name="Slot">Index of the slot among those of all pools.</param>
/// <param name="Offset">First byte that is copied, within the object.</param>
/// <param name="Length">Bytes that are copied.</param>
/// <param name="IssueAfter">Index of the compute op after which it is issued, -1 for the start of the step.</param>
/// <param name="Deadline">Index of the compute op that needs a fetch; for a save, the op that produced the bytes.</param>
internal readonly record struct Travel(bool Fetch, int Object, int Slot, Bytes Offset, Bytes Length, int IssueAfter, int Deadline);

/// <summary>Where every object is, op by op, in the steady state of the loop.</summary>
/// <param name="Slots">For every use, op after op, the slot (counted over all pools, in pool order).</param>
/// <param name="Copies">All travels of a step; fetches by the op that needs them.</param>
/// <param name="Resident">State objects on the device at the step's border, with their slot.</param>
/// <param name="HomeValid">State objects whose home holds their current bytes at the step's border, ascending.</param>
internal sealed record TenancyResult(
    ImmutableArray<int> Slots,
    ImmutableArray<Travel> Copies,
    ImmutableArray<(int Object, int Slot)> Resident,
    ImmutableArray<int> HomeValid);

/// <summary>
/// Decides, for a program and its pools, which object is in which slot when, and hence what travels. Objects enter a slot at the op that
/// needs them; who leaves for them is the pool's <see cref="Replacement"/>. The slot that has been free longest is taken first, so that a
/// fetch can start as early as memory allows. An object that leaves is saved right after the op that wrote it last; one that never
/// leaves before its last use is never saved.
/// Steps repeat: the pass runs over several steps until a step ends as it began, and that step is the loop body. A pool that does not
/// settle gives up its tenants at the end of each step instead.
/// </summary>
internal sealed class Tenancy
{
    private const int StepsToSettle = 4;
    private readonly StepProgram program;
    private readonly PoolState[] pools;
    private readonly ObjectState[] states;
    private readonly DirtyRanges[] dirty; // by slot
    private readonly int[] slots; // by use
    private readonly int[] nextOp; // by use: the op that uses the object next; beyond the step's end for the next step
    // by use: one past the last byte of the object that a later op of the step uses; all of what outlives the step
    private readonly Bytes[] laterEnd;
    private readonly List<(long Time, Travel Copy)> copies = [];

    private Tenancy(StepProgram program)
    {
        this.program = program;
        pools = new PoolState[program.Pools.Length];
        int slot = 0;
        for (int p = 0; p < pools.Length; p++)
        {
            pools[p] = new PoolState(program.Pools[p], slot);
            slot += program.Pools[p].SlotCount;
        }

        dirty = [.. Enumerable.Range(0, slot).Select(_ => new DirtyRanges())];
        states = [.. program.Objects.Select((o, id) => new ObjectState(id, o, pools[o.Pool]))];
        int uses = 0;
        for (int i = 0; i < program.Ops.Length; i++)
        {
            foreach (ref readonly var use in program.Ops[i].Uses.AsSpan())
            {
                var state = states[use.Object];
                state.FirstOp = Math.Min(state.FirstOp, i);
                state.LastOp = i;
                uses++;
            }
        }

        (slots, nextOp, laterEnd) = (new int[uses], new int[uses], new Bytes[uses]);
        LookAhead();
    }

    /// <summary>The steady state of the program; throws if a pool has fewer slots than one op uses at once.</summary>
    public static TenancyResult Settle(StepProgram program)
    {
        var tenancy = new Tenancy(program);
        long[][] before = tenancy.Conditions();
        for (int step = 0; ; step++)
        {
            tenancy.copies.Clear();
            tenancy.RunStep(step);
            long[][] after = tenancy.Conditions();
            var unsettled = tenancy.pools.Where((_, p) => !before[p].AsSpan().SequenceEqual(after[p])).ToArray();
            if (step > 0 && unsettled.Length == 0)
            {
                return tenancy.Collect(step);
            }

            before = after;
            if (step >= StepsToSettle)
            {
                foreach (var pool in unsettled)
                {
                    pool.EmptiedEachStep = true;
                }
            }
        }
    }

    /// <summary>
    /// One step of another kind between two steps of the settled program: it finds the state objects where that one left them and leaves
    /// them there. Objects that the step does not use are not mentioned and stay untouched.
    /// </summary>
    public static TenancyResult Between(StepProgram program, IReadOnlyDictionary<string, int> resident, IReadOnlySet<string> homeValid)
    {
        var tenancy = new Tenancy(program);
        foreach (var state in tenancy.states.Where(s => s.Life == Lifetime.State))
        {
            string name = program.Objects[state.Id].Name;
            if (resident.TryGetValue(name, out int slot))
            {
                state.Pinned = !homeValid.Contains(name);
                state.Pool.Place(state, slot);
            }
        }

        tenancy.RunStep(0);
        tenancy.Restore(resident);
        var kept = Enumerable.Range(0, program.Objects.Length).Where(o => program.Objects[o].Life == Lifetime.State).ToArray();
        return new TenancyResult(
            ImmutableCollectionsMarshal.AsImmutableArray(tenancy.slots),
            [.. tenancy.copies.Select(c => c.Copy)],
            [.. kept.Where(o => resident.ContainsKey(program.Objects[o].Name)).Select(o => (o, resident[program.Objects[o].Name]))],
            [.. kept.Where(o => homeValid.Contains(program.Objects[o].Name))]);
    }

    /// <summary>Fetches what the step displaced back into its slot, after the slot's last use.</summary>
    private void Restore(IReadOnlyDictionary<string, int> resident)
    {
        int last = program.Ops.Length - 1;
        foreach (var state in states.Where(s => s.Life == Lifetime.State))
        {
            if (resident.TryGetValue(program.Objects[state.Id].Name, out int slot) && state.Slot != slot)
            {
                var tenant = Array.Find(states, s => s.Slot == slot);
                int issue = tenant is null ? last : (int)Math.Max(tenant.LastUse, -1);
                copies.Add((last, new Travel(true, state.Id, slot, Bytes.Zero, state.Length, issue, last)));
            }
        }
    }

    private TenancyResult Collect(int step)
    {
        long begin = (long)step * program.Ops.Length, before = begin - program.Ops.Length;

        // What this step evicts may have been written in the one before. The next step does the same, and such saves belong to this step's
        // body.
        bool InBody(in (long Time, Travel Copy) c) => c.Time >= begin;
        bool IsLate(in (long Time, Travel Copy) c) => !c.Copy.Fetch && c.Time >= before && c.Time < begin;
        var travels = ImmutableArray.CreateBuilder<Travel>(copies.Count(c => InBody(c) || IsLate(c)));
        travels.AddRange(copies.Where(c => InBody(c)).Select(c => c.Copy));
        int late = travels.Count;
        travels.AddRange(copies.Where(c => IsLate(c)).Select(c => c.Copy));
        var savedLate = travels.Skip(late).Select(c => c.Object).ToHashSet();
        var kept = states.Where(s => s.Life == Lifetime.State).ToArray();
        bool HomeIsValid(ObjectState state) => state.Slot < 0 || dirty[state.Slot].Count == 0 || savedLate.Contains(state.Id);
        return new TenancyResult(
            ImmutableCollectionsMarshal.AsImmutableArray(slots),
            travels.MoveToImmutable(),
            [.. kept.Where(s => s.Slot >= 0).Select(s => (s.Id, s.Slot))],
            [.. kept.Where(HomeIsValid).Select(s => s.Id)]);
    }

    private void RunStep(int step)
    {
        int count = program.Ops.Length, first = 0;
        long start = (long)step * count;
        foreach (var pool in pools)
        {
            pool.StartStep(start - 1);
        }

        for (int i = 0; i < count; i++)
        {
            var uses = program.Ops[i].Uses.AsSpan();
            long now = start + i;
            foreach (ref readonly var use in uses)
            {
                states[use.Object].InUse = now;
            }

            for (int u = 0; u < uses.Length; u++)
            {
                slots[first + u] = Enter(uses, u, first + u, i, start);
            }

            for (int u = 0; u < uses.Length; u++)
            {
                var state = states[uses[u].Object];
                if (state.LastOp == i && state.Slot >= 0)
                {
                    Leave(state, now);
                }
                else if (state.LeavesAtOnce && state.Slot >= 0 && IsForward(i) && !IsForward(nextOp[first + u]))
                {
                    Evict(state);
                }
            }

            first += uses.Length;
        }

        foreach (var pool in pools)
        {
            while (pool.EmptiedEachStep && pool.Count > 0)
            {
                Evict(pool.First);
            }
        }
    }

    private bool IsForward(int op) =>
        program.Ops[op].Kind is OpKind.Embed or OpKind.Forward or OpKind.Project or OpKind.Attend or OpKind.Combine;

    /// <summary>One use of an op: its object is in a slot from now on.</summary>
    /// <param name="uses">All uses of the op.</param>
    /// <param name="index">Of the use in its op.</param>
    /// <param name="at">Of the use in the program.</param>
    /// <param name="op">Index of the op in the step.</param>
    /// <param name="start">Op number of the step's first op, counted over all steps that are walked.</param>
    private int Enter(ReadOnlySpan<Use> uses, int index, int at, int op, long start)
    {
        ref readonly var use = ref uses[index];
        var state = states[use.Object];
        var pool = state.Pool;
        long now = start + op;
        if (state.Slot < 0)
        {
            if (pool.Free.Count == 0)
            {
                Evict(pool.FirstToLeave(now) ?? throw TooFewSlots(state.Id));
            }
            else if (pool.IdleLongerThanFree(now) is { } idle)
            {
                Evict(idle);
                pool.FreeInOrder();
            }

            long free = pool.Enter(state);
            if (state.Life is Lifetime.State or Lifetime.Input || state.FirstOp < op)
            {
                long issue = Math.Max(Math.Max(free, state.SavedAt), start - 1) - start;
                var length = state.Life == Lifetime.Transient ? Wanted(state, uses, laterEnd[at]) : state.Length;
                copies.Add((now, new Travel(true, state.Id, state.Slot, Bytes.Zero, length, (int)issue, op)));
            }
        }

        state.WantedEnd = laterEnd[at];
        pool.Touch(state, now, start + nextOp[at]);
        if (use.Mode != AccessMode.Read)
        {
            dirty[state.Slot].Mark(use.Offset, use.Length, now);
            state.WrittenEnd = Bytes.Max(state.WrittenEnd, use.Offset + use.Length);
        }

        return state.Slot;
    }

    /// <summary>Bytes from the start of an object that are defined and wanted by this op or a later one.</summary>
    private static Bytes Wanted(ObjectState state, ReadOnlySpan<Use> uses, Bytes later)
    {
        var end = later;
        foreach (ref readonly var use in uses)
        {
            end = use.Object == state.Id ? Bytes.Max(end, use.Offset + use.Length) : end;
        }

        return end < state.WrittenEnd ? end : state.WrittenEnd;
    }

    private InvalidOperationException TooFewSlots(int o)
    {
        var pool = program.Pools[program.Objects[o].Pool];
        return new($"pool {pool.Name} has {pool.SlotCount} slots, fewer than one op uses at once");
    }

    /// <summary>Takes an object that is still wanted out of its slot; what changed is saved.</summary>
    private void Evict(ObjectState state)
    {
        foreach (var (offset, length, time) in dirty[state.Slot].All)
        {
            var wanted = offset + length < state.WantedEnd ? length : state.WantedEnd - offset;
            if (wanted > Bytes.Zero)
            {
                AddSave(state, offset, wanted, time);
            }
        }

        dirty[state.Slot].Clear();
        state.Pool.Release(state);
    }

    /// <summary>The last use of a step: transient bytes die, results go home.</summary>
    private void Leave(ObjectState state, long now)
    {
        switch (state.Life)
        {
            case Lifetime.State:
                return;
            case Lifetime.Output:
                AddSave(state, Bytes.Zero, state.Length, now);
                break;
        }

        state.WrittenEnd = Bytes.Zero;
        state.SavedAt = -1;
        dirty[state.Slot].Clear();
        state.Pool.Release(state);
    }

    private void AddSave(ObjectState state, Bytes offset, Bytes length, long time)
    {
        int op = (int)(time % program.Ops.Length);
        copies.Add((time, new Travel(false, state.Id, state.Slot, offset, length, op, op)));
        state.SavedAt = Math.Max(state.SavedAt, time);
    }

    /// <summary>What later ops want, found from the last op to the first.</summary>
    private void LookAhead()
    {
        int count = program.Ops.Length;
        int[] next = [.. states.Select(s => count + s.FirstOp)];
        Bytes[] later = [.. states.Select(s => s.Life == Lifetime.Transient ? Bytes.Zero : s.Length)];
        int first = slots.Length;
        for (int i = count - 1; i >= 0; i--)
        {
            var uses = program.Ops[i].Uses.AsSpan();
            first -= uses.Length;
            for (int u = 0; u < uses.Length; u++)
            {
                (nextOp[first + u], laterEnd[first + u]) = (next[uses[u].Object], later[uses[u].Object]);
            }

            foreach (ref readonly var use in uses)
            {
                next[use.Object] = i;
                later[use.Object] = Bytes.Max(later[use.Object], use.Offset + use.Length);
            }
        }
    }

    private long[][] Conditions() => [.. pools.Select(p => p.Condition(dirty, program.Ops.Length))];
}
