using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Cpu;

/// <summary>Fills bytes that nobody may rely on with 0xFF, which is NaN in fp32 and bf16 and an absurd index in int32.</summary>
internal sealed unsafe class SlotPoison
{
    private const byte Pattern = 0xFF;
    private readonly CpuMemory memory;
    private readonly int[][] tenancies;
    private readonly (int Slot, int Ops)[] tenancyOps;
    private readonly int[] remaining;
    private readonly HashSet<int> started = [];
    private readonly Dictionary<int, int> current = [];

    public SlotPoison(CpuMemory memory)
    {
        this.memory = memory;
        (tenancies, tenancyOps) = Tenancies(memory.Schedule);
        remaining = [.. tenancyOps.Select(t => t.Ops)];
    }

    /// <summary>Everything, before anything is written.</summary>
    public void FillArenas()
    {
        foreach (var arena in memory.Arenas)
        {
            NativeMemory.Fill(arena.Start, (nuint)arena.Length.Value, Pattern);
        }
    }

    /// <summary>Bytes that the op promises to overwrite.</summary>
    public void Before(int op)
    {
        foreach (var access in memory.Schedule.Ops[op].Accesses)
        {
            if (access.Mode == AccessMode.Write)
            {
                Fill(access.Slot, access.Offset, access.Length);
            }
        }

        foreach (int tenancy in tenancies[op])
        {
            if (started.Add(tenancy))
            {
                current[tenancyOps[tenancy].Slot] = tenancy;
            }
        }
    }

    /// <summary>Slots whose tenant has been used for the last time, unless the next one has begun to move in.</summary>
    public void After(int op)
    {
        foreach (int tenancy in tenancies[op])
        {
            int slot = tenancyOps[tenancy].Slot;
            if (--remaining[tenancy] == 0 && current[slot] == tenancy)
            {
                Fill(slot, Bytes.Zero, memory.Schedule.Slots[slot].Length);
            }
        }
    }

    /// <summary>The next step has the same tenancies again.</summary>
    public void EndStep()
    {
        started.Clear();
        current.Clear();
        for (int i = 0; i < remaining.Length; i++)
        {
            remaining[i] = tenancyOps[i].Ops;
        }
    }

    /// <summary>
    /// Runs of ops, in issue order, that use a slot for one object. Objects that outlive the step (state, outputs, inputs) keep their
    /// slots: their first and last runs are left alone.
    /// </summary>
    private static (int[][] OfOp, (int Slot, int Ops)[] Ops) Tenancies(Schedule schedule)
    {
        var lasting = schedule.State.Concat(schedule.Inputs).Concat(schedule.Outputs).Select(p => p.Object).ToHashSet();
        var ofOp = new int[schedule.Ops.Length][];
        var runs = new List<(int Slot, int Ops)>();
        var open = new Dictionary<int, (int Object, int Run)>();
        for (int i = 0; i < schedule.Ops.Length; i++)
        {
            var mine = new HashSet<int>();
            foreach (var access in schedule.Ops[i].Accesses.Where(a => !lasting.Contains(a.Object)))
            {
                if (!open.TryGetValue(access.Slot, out var run) || run.Object != access.Object)
                {
                    open[access.Slot] = run = (access.Object, runs.Count);
                    runs.Add((access.Slot, 0));
                }

                if (mine.Add(run.Run))
                {
                    runs[run.Run] = (access.Slot, runs[run.Run].Ops + 1);
                }
            }

            foreach (var access in schedule.Ops[i].Accesses.Where(a => lasting.Contains(a.Object)))
            {
                open.Remove(access.Slot);
            }

            ofOp[i] = [.. mine];
        }

        return (ofOp, [.. runs]);
    }

    private void Fill(int slot, Bytes offset, Bytes length)
    {
        var at = memory.Schedule.Slots[slot];
        NativeMemory.Fill(memory.Arenas[at.Arena].Start + at.Offset.Value + offset.Value, (nuint)length.Value, Pattern);
    }
}
