using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Schedules.Tests;

/// <summary>
/// Random programs that satisfy every rule but hazard (they have no waits): random slots and objects, sub-range accesses, 2 to 4 streams,
/// state carried from step to step. Built by running each proposed op on <see cref="ByteSimulation"/> and keeping what is legal.
/// </summary>
internal sealed class RandomPrograms
{
    private static readonly OpKind[] ComputeKinds = [.. Enum.GetValues<OpKind>().Except([OpKind.Fetch, OpKind.Save])];

    private readonly Random random;
    private readonly Schedule frame;
    private readonly ByteSimulation simulation;
    private readonly ImmutableArray<ScheduledOp>.Builder ops = ImmutableArray.CreateBuilder<ScheduledOp>();

    private RandomPrograms(Random random)
    {
        this.random = random;
        frame = MakeFrame(random);
        simulation = new ByteSimulation(frame);
    }

    /// <summary>One program of about so many ops.</summary>
    public static Schedule Make(Random random, int size)
    {
        var program = new RandomPrograms(random);
        for (int i = 0; i < size; i++)
        {
            if (random.Next(3) == 0)
            {
                program.ProposeCopy();
            }
            else
            {
                program.ProposeCompute();
            }
        }

        program.Close();
        return program.frame with { Ops = program.ops.ToImmutable() };
    }

    private static Schedule MakeFrame(Random random)
    {
        int arenas = random.Next(1, 4);
        var ends = new long[arenas];
        Slot[] slots =
        [
            .. Enumerable
                .Range(0, random.Next(3, 10))
                .Select(i =>
                {
                    int arena = random.Next(arenas);
                    long offset = ends[arena] + random.Next(3);
                    long length = random.Next(4, 20);
                    ends[arena] = offset + length;
                    return new Slot($"S{i}", arena, new Bytes(offset), new Bytes(length));
                }),
        ];
        DataObject[] objects =
        [
            .. Enumerable.Range(0, random.Next(2, 9)).Select(i => new DataObject($"O{i}", new Bytes(random.Next(2, 16)))),
        ];

        // Each placement gets a slot of its own; the first ones are state, so that two placements of one object occur.
        int[] free = [.. Enumerable.Range(0, slots.Length)];
        random.Shuffle(free);
        var placed = new List<Placement>[] { [], [], [] };
        foreach (int slot in free.Take(random.Next(1, slots.Length)))
        {
            int o = random.Next(objects.Length);
            if (objects[o].Length <= slots[slot].Length)
            {
                placed[random.Next(4) switch { 0 => 0, 1 => 1, _ => 2 }].Add(new Placement(o, slot));
            }
        }

        return new Schedule
        {
            Facts = [],
            Arenas = [.. ends.Select((end, i) => new Arena($"arena{i}", new Bytes(end)))],
            Streams = [.. Enumerable.Range(0, random.Next(2, 5)).Select(i => $"stream{i}")],
            Slots = [.. slots],
            Objects = [.. objects],
            Inputs = [.. placed[0]],
            Outputs = [.. placed[1]],
            State = [.. placed[2]],
            Ops = [],
        };
    }

    private void ProposeCopy()
    {
        if (ProposeRead(AccessMode.Read) is not { } from)
        {
            return;
        }

        int to = random.Next(frame.Slots.Length);
        if (to != from.Slot && frame.Objects[from.Object].Length <= frame.Slots[to].Length)
        {
            AddCopy(from, to);
        }
    }

    private void ProposeCompute()
    {
        var accesses = new List<Access>();
        for (int k = random.Next(1, 5); k > 0; k--)
        {
            Access? proposed = random.Next(5) switch
            {
                <= 1 => ProposeRead(AccessMode.Read),
                2 => ProposeRead(AccessMode.ReadWrite),
                _ => ProposeWrite(),
            };
            if (proposed is { } access && !accesses.Any(a => a.Slot == access.Slot && (a.Writes || access.Writes)
                && a.Offset < access.Offset + access.Length && access.Offset < a.Offset + a.Length))
            {
                accesses.Add(access with { Role = $"a{accesses.Count}" });
            }
        }

        if (accesses.Count > 0)
        {
            Add(ComputeKinds[random.Next(ComputeKinds.Length)], accesses);
        }
    }

    /// <summary>Part of a run of latest bytes of one object somewhere; null if the dart misses.</summary>
    private Access? ProposeRead(AccessMode mode)
    {
        int slot = random.Next(frame.Slots.Length);
        int at = random.Next((int)frame.Slots[slot].Length.Value);
        if (simulation.CurrentTenant(slot, at) is not { } o)
        {
            return null;
        }

        int first = at;
        int last = at;
        while (random.Next(6) > 0 && first > 0 && simulation.CurrentTenant(slot, first - 1) == o)
        {
            first--;
        }

        while (random.Next(6) > 0 && last + 1 < frame.Slots[slot].Length.Value && simulation.CurrentTenant(slot, last + 1) == o)
        {
            last++;
        }

        return new Access("", o, slot, new Bytes(first), new Bytes(last - first + 1), mode);
    }

    private Access? ProposeWrite()
    {
        int o = random.Next(frame.Objects.Length);
        int slot = random.Next(frame.Slots.Length);
        int length = (int)frame.Objects[o].Length.Value;
        int first = random.Next(2) == 0 ? 0 : random.Next(length);
        int last = random.Next(2) == 0 ? length - 1 : random.Next(first, length);
        return frame.Objects[o].Length > frame.Slots[slot].Length ? null
            : new Access("", o, slot, new Bytes(first), new Bytes(last - first + 1), AccessMode.Write);
    }

    /// <summary>Brings state and outputs home: by a copy where some slot has the object, else by computing it anew.</summary>
    private void Close()
    {
        foreach (Placement home in frame.State.Concat(frame.Outputs).Concat(frame.State))
        {
            if (simulation.Holds(home))
            {
                continue;
            }

            Bytes length = frame.Objects[home.Object].Length;
            int source = Enumerable.Range(0, frame.Slots.Length)
                .FirstOrDefault(s => frame.Slots[s].Length >= length && simulation.Holds(new Placement(home.Object, s)), -1);
            if (source >= 0)
            {
                AddCopy(new Access("", home.Object, source, Bytes.Zero, length, AccessMode.Read), home.Slot);
            }
            else
            {
                Add(OpKind.Update, [new Access("o", home.Object, home.Slot, Bytes.Zero, length, AccessMode.Write)]);
            }
        }
    }

    private void AddCopy(Access source, int to) => Add(
        random.Next(2) == 0 ? OpKind.Fetch : OpKind.Save,
        [source with { Role = "from", Mode = AccessMode.Read }, source with { Role = "to", Slot = to, Mode = AccessMode.Write }]);

    private void Add(OpKind kind, IEnumerable<Access> accesses)
    {
        var op = new ScheduledOp
        {
            Kind = kind,
            Stream = random.Next(frame.Streams.Length),
            Layer = random.Next(2) == 0 ? new Layer(random.Next(40)) : null,
            Chunk = random.Next(2) == 0 ? new Chunk(random.Next(9)) : null,
            Round = random.Next(2) == 0 ? new Round(random.Next(9)) : null,
            Piece = random.Next(2),
            Saved = (SaveSet)random.Next(32),
            Wanted = (SaveSet)random.Next(32),
            Accesses = [.. accesses],
        };
        if (!simulation.Run(op))
        {
            throw new InvalidOperationException("the generator made an op that reads what it may not");
        }

        ops.Add(op);
    }
}
