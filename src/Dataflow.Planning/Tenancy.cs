using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>A copy between an object's home and its slot on the device.</summary>
/// <param name="IssueAfter">Index of the compute op after which it is issued, -1 for the start of the step.</param>
/// <param name="Deadline">Index of the compute op that needs a fetch; for a save, the op that produced the bytes.</param>
internal readonly record struct Travel(bool Fetch, int Object, int Slot, Bytes Offset, Bytes Length, int IssueAfter, int Deadline);

/// <summary>Where every object is, op by op, in the steady state of the loop.</summary>
/// <param name="Slots">For every op, for every use, the slot (counted over all pools, in pool order).</param>
/// <param name="Copies">All travels of a step.</param>
/// <param name="Resident">State objects on the device at the step's border, with their slot.</param>
/// <param name="HomeValid">State objects whose home holds their current bytes at the step's border.</param>
internal sealed record TenancyResult(
    ImmutableArray<ImmutableArray<int>> Slots,
    ImmutableArray<Travel> Copies,
    ImmutableArray<(int Object, int Slot)> Resident,
    ImmutableHashSet<int> HomeValid);

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
    private readonly int[] firstUse;
    private readonly int[] lastUse;
    private readonly int[][] nextUse;
    private readonly Bytes[][] laterEnd;
    private readonly PoolState[] pools;
    private readonly ObjectState[] states;
    private readonly List<(long Time, Travel Copy)> copies = [];
    private readonly int[][] slots;

    private Tenancy(StepProgram program)
    {
        this.program = program;
        firstUse = Enumerable.Repeat(int.MaxValue, program.Objects.Length).ToArray();
        lastUse = Enumerable.Repeat(-1, program.Objects.Length).ToArray();
        for (int i = 0; i < program.Ops.Length; i++)
        {
            foreach (var use in program.Ops[i].Uses)
            {
                firstUse[use.Object] = Math.Min(firstUse[use.Object], i);
                lastUse[use.Object] = i;
            }
        }

        nextUse = NextUses(program, firstUse);
        laterEnd = LaterEnds(program);
        int slot = 0;
        pools = [.. program.Pools.Select(p =>
        {
            var state = new PoolState(slot, p.SlotCount, p.Replacement);
            slot += p.SlotCount;
            return state;
        })];
        states = [.. program.Objects.Select(_ => new ObjectState())];
        slots = [.. program.Ops.Select(op => new int[op.Uses.Length])];
    }

    /// <summary>The steady state of the program; throws if a pool has fewer slots than one op uses at once.</summary>
    public static TenancyResult Settle(StepProgram program)
    {
        var tenancy = new Tenancy(program);
        for (int step = 0; ; step++)
        {
            var before = tenancy.Signatures();
            tenancy.copies.Clear();
            tenancy.RunStep(step);
            var after = tenancy.Signatures();
            var unsettled = Enumerable.Range(0, before.Length).Where(p => before[p] != after[p]).ToArray();
            if (step > 0 && unsettled.Length == 0)
            {
                return tenancy.Collect(step);
            }

            if (step >= StepsToSettle)
            {
                foreach (int p in unsettled)
                {
                    tenancy.pools[p].EmptiedEachStep = true;
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
        for (int o = 0; o < program.Objects.Length; o++)
        {
            var item = program.Objects[o];
            if (item.Life == Lifetime.State && resident.TryGetValue(item.Name, out int slot))
            {
                tenancy.states[o] = new ObjectState { Pinned = !homeValid.Contains(item.Name) };
                tenancy.pools[item.Pool].Place(o, tenancy.states[o], slot);
            }
        }

        tenancy.RunStep(0);
        tenancy.Restore(resident);
        var state = Enumerable.Range(0, program.Objects.Length).Where(o => program.Objects[o].Life == Lifetime.State).ToArray();
        return new TenancyResult(
            [.. tenancy.slots.Select(s => s.ToImmutableArray())],
            [.. tenancy.copies.Select(c => c.Copy)],
            [.. state.Where(o => resident.ContainsKey(program.Objects[o].Name)).Select(o => (o, resident[program.Objects[o].Name]))],
            [.. state.Where(o => homeValid.Contains(program.Objects[o].Name))]);
    }

    /// <summary>Fetches what the step displaced back into its slot, after the slot's last use.</summary>
    private void Restore(IReadOnlyDictionary<string, int> resident)
    {
        int last = program.Ops.Length - 1;
        for (int o = 0; o < states.Length; o++)
        {
            if (program.Objects[o].Life == Lifetime.State && resident.TryGetValue(program.Objects[o].Name, out int slot) && states[o].Slot != slot)
            {
                int tenant = Array.FindIndex(states, s => s.Slot == slot);
                int issue = tenant >= 0 ? (int)Math.Max(states[tenant].LastUse, -1) : last;
                copies.Add((last, new Travel(true, o, slot, Bytes.Zero, program.Objects[o].Length, issue, last)));
            }
        }
    }

    private TenancyResult Collect(int step)
    {
        var body = slots.Select(s => s.ToImmutableArray()).ToImmutableArray();
        var state = Enumerable.Range(0, states.Length).Where(o => program.Objects[o].Life == Lifetime.State).ToArray();
        var resident = state.Where(o => states[o].Slot >= 0).Select(o => (o, states[o].Slot)).ToImmutableArray();
        var dirtyAtEnd = state.Where(o => states[o].Dirty.Count > 0).ToHashSet();
        var body0 = copies.ToArray();
        copies.Clear();

        // What the next step evicts may have been written in this one: such saves belong to this step's body.
        RunStep(step + 1);
        long begin = (long)step * program.Ops.Length, end = begin + program.Ops.Length;
        var late = copies.Where(c => !c.Copy.Fetch && c.Time >= begin && c.Time < end).ToArray();
        dirtyAtEnd.ExceptWith(late.Select(c => c.Copy.Object));
        var all = body0.Where(c => c.Time >= begin).Concat(late).Select(c => c.Copy).ToImmutableArray();
        return new TenancyResult(body, all, resident, [.. state.Where(o => !dirtyAtEnd.Contains(o))]);
    }

    private void RunStep(int step)
    {
        int count = program.Ops.Length;
        long start = (long)step * count;
        foreach (var pool in pools)
        {
            pool.StartStep(start - 1);
        }

        for (int i = 0; i < count; i++)
        {
            var uses = program.Ops[i].Uses;
            long now = start + i;
            foreach (var use in uses)
            {
                states[use.Object].InUse = now;
            }

            for (int u = 0; u < uses.Length; u++)
            {
                slots[i][u] = Enter(uses, u, i, start);
            }

            for (int u = 0; u < uses.Length; u++)
            {
                int o = uses[u].Object;
                if (states[o].Slot >= 0 && lastUse[o] == i)
                {
                    Leave(o, now);
                }
                else if (states[o].Slot >= 0 && program.Objects[o].LeavesAtOnce && IsForward(i) && !IsForward(nextUse[i][u]))
                {
                    Evict(pools[program.Objects[o].Pool], o);
                }
            }
        }

        foreach (var pool in pools.Where(p => p.EmptiedEachStep))
        {
            while (pool.Tenants.Count > 0)
            {
                Evict(pool, pool.Tenants.Max.Object);
            }
        }
    }

    private bool IsForward(int op) =>
        program.Ops[op].Kind is Schedules.OpKind.Embed or Schedules.OpKind.Forward or Schedules.OpKind.Project or Schedules.OpKind.Attend or Schedules.OpKind.Combine;

    private int Enter(ImmutableArray<Use> uses, int index, int op, long start)
    {
        var use = uses[index];
        var state = states[use.Object];
        var pool = pools[program.Objects[use.Object].Pool];
        long now = start + op;
        if (state.Slot < 0)
        {
            var (slot, free) = Acquire(pool, now, program.Objects[use.Object].Pool);
            state.Slot = slot;
            var life = program.Objects[use.Object].Life;
            if (life is Lifetime.State or Lifetime.Input || firstUse[use.Object] < op)
            {
                long issue = Math.Max(Math.Max(free, state.SavedAt), start - 1) - start;
                var length = life == Lifetime.Transient ? Wanted(state, uses, use.Object, laterEnd[op][index]) : program.Objects[use.Object].Length;
                copies.Add((now, new Travel(true, use.Object, slot, Bytes.Zero, length, (int)issue, op)));
            }
        }

        state.WantedEnd = laterEnd[op][index];
        pool.Touch(use.Object, state, now, start + nextUse[op][index]);
        if (use.Mode != Schedules.AccessMode.Read)
        {
            state.MarkDirty(use.Offset, use.Length, now);
        }

        return state.Slot;
    }

    /// <summary>Bytes from the start of an object that are defined and wanted by this op or a later one.</summary>
    private static Bytes Wanted(ObjectState state, ImmutableArray<Use> uses, int o, Bytes later)
    {
        var end = later;
        foreach (var use in uses)
        {
            end = use.Object == o ? Bytes.Max(end, use.Offset + use.Length) : end;
        }

        return end < state.WrittenEnd ? end : state.WrittenEnd;
    }

    private (int Slot, long FreeSince) Acquire(PoolState pool, long now, int poolId)
    {
        if (pool.Free.Count == 0)
        {
            foreach (var (_, tenant) in pool.Tenants.Reverse())
            {
                if (states[tenant].InUse != now && !states[tenant].Pinned)
                {
                    Evict(pool, tenant);
                    return pool.Free.Dequeue();
                }
            }

            throw new InvalidOperationException($"pool {program.Pools[poolId].Name} has {program.Pools[poolId].SlotCount} slots, fewer than one op uses at once");
        }

        return pool.Free.Dequeue();
    }

    /// <summary>Takes an object that is still wanted out of its slot; what changed is saved.</summary>
    private void Evict(PoolState pool, int o)
    {
        var state = states[o];
        foreach (var (offset, length, time) in state.Dirty)
        {
            var wanted = offset + length < state.WantedEnd ? length : state.WantedEnd - offset;
            if (wanted > Bytes.Zero)
            {
                AddSave(o, state.Slot, offset, wanted, time);
            }
        }

        state.Dirty.Clear();
        pool.Release(o, state);
    }

    /// <summary>The last use of a step: transient bytes die, results go home.</summary>
    private void Leave(int o, long now)
    {
        var state = states[o];
        switch (program.Objects[o].Life)
        {
            case Lifetime.State:
                return;
            case Lifetime.Output:
                AddSave(o, state.Slot, Bytes.Zero, program.Objects[o].Length, now);
                break;
        }

        state.Dirty.Clear();
        state.WrittenEnd = Bytes.Zero;
        state.SavedAt = -1;
        pools[program.Objects[o].Pool].Release(o, state);
    }

    private void AddSave(int o, int slot, Bytes offset, Bytes length, long time)
    {
        int op = (int)(time % program.Ops.Length);
        copies.Add((time, new Travel(false, o, slot, offset, length, op, op)));
        states[o].SavedAt = Math.Max(states[o].SavedAt, time);
    }

    /// <summary>For every use, the op that uses the object next; beyond the step's end for the next step.</summary>
    private static int[][] NextUses(StepProgram program, int[] firstUse)
    {
        int count = program.Ops.Length;
        int[] next = [.. firstUse.Select(f => count + f)];
        var result = new int[count][];
        for (int i = count - 1; i >= 0; i--)
        {
            var uses = program.Ops[i].Uses;
            result[i] = [.. uses.Select(u => next[u.Object])];
            foreach (var use in uses)
            {
                next[use.Object] = i;
            }
        }

        return result;
    }

    /// <summary>For every use, one past the last byte of the object that a later op of the step uses; the whole of what outlives the step.</summary>
    private static Bytes[][] LaterEnds(StepProgram program)
    {
        Bytes[] later = [.. program.Objects.Select(o => o.Life == Lifetime.Transient ? Bytes.Zero : o.Length)];
        var result = new Bytes[program.Ops.Length][];
        for (int i = result.Length - 1; i >= 0; i--)
        {
            var uses = program.Ops[i].Uses;
            result[i] = [.. uses.Select(u => later[u.Object])];
            foreach (var use in uses)
            {
                later[use.Object] = Bytes.Max(later[use.Object], use.Offset + use.Length);
            }
        }

        return result;
    }

    private string[] Signatures() => [.. pools.Select(p => p.Signature(states, program.Ops.Length))];
}
