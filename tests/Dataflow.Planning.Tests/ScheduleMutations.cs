using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning.Tests;

/// <summary>One change to a schedule, as a slip of a hand or a bad byte makes it.</summary>
internal static class ScheduleMutations
{
    private static readonly Func<Schedule, Random, Schedule>[] All =
    [
        FactValue,
        FactValue,
        FactGone,
        FactRenamed,
        ArenaLength,
        ArenaName,
        SlotMoved,
        SlotLength,
        ObjectLength,
        ObjectLength,
        ObjectName,
        PlacementGone,
        PlacementMoved,
        PlacementTwice,
        OpGone,
        OpGone,
        OpTwice,
        OpsSwapped,
        OpsSwapped,
        OpsSwapped,
        OpKindOther,
        OpStream,
        OpLayer,
        OpChunk,
        OpRound,
        OpBlock,
        OpPiece,
        OpSaved,
        OpWanted,
        OperandObject,
        OperandObject,
        OperandObject,
        OperandSlot,
        OperandRange,
        OperandMode,
        OperandMode,
        OperandRole,
        OperandGone,
        OperandsSwapped,
        BothObjects,
        WaitGone,
        WaitOther,
        SlotsExchanged,
    ];

    /// <summary>How many kinds there are.</summary>
    public static int Count => All.Length;

    /// <summary>The name of a kind.</summary>
    public static string NameOf(int kind) => All[kind].Method.Name;

    /// <summary>A schedule with one change of that kind.</summary>
    public static Schedule Apply(Schedule schedule, int kind, Random random) => All[kind](schedule, random);

    private static Schedule FactValue(Schedule s, Random random)
    {
        int i = random.Next(s.Facts.Length);
        string value = s.Facts[i].Value;
        string other = long.TryParse(value, out long number)
            ? (
                random.Next(5) switch
                {
                    0 => number + 1,
                    1 => number - 1,
                    2 => number * 2,
                    3 => 0,
                    _ => long.MaxValue,
                }
            ).ToString(System.Globalization.CultureInfo.InvariantCulture)
            : random.Next(3) switch
            {
                0 => value + "x",
                1 => "bf16-master",
                _ => "Gradients",
            };
        return s with { Facts = s.Facts.SetItem(i, new(s.Facts[i].Key, other)) };
    }

    private static Schedule FactGone(Schedule s, Random random) => s with { Facts = s.Facts.RemoveAt(random.Next(s.Facts.Length)) };

    private static Schedule FactRenamed(Schedule s, Random random)
    {
        int i = random.Next(s.Facts.Length);
        return s with { Facts = s.Facts.SetItem(i, new("no_such_fact", s.Facts[i].Value)) };
    }

    private static Schedule ArenaLength(Schedule s, Random random)
    {
        int i = random.Next(s.Arenas.Length);
        return s with
        {
            Arenas = s.Arenas.SetItem(i, s.Arenas[i] with { Length = new Bytes(s.Arenas[i].Length.Value + random.Next(-2, 2)) }),
        };
    }

    private static Schedule ArenaName(Schedule s, Random random)
    {
        int i = random.Next(s.Arenas.Length);
        return s with { Arenas = s.Arenas.SetItem(i, s.Arenas[i] with { Name = s.Arenas[i].Name + "2" }) };
    }

    private static Schedule SlotMoved(Schedule s, Random random)
    {
        int i = random.Next(s.Slots.Length);
        var slot = s.Slots[i];
        return s with
        {
            Slots = s.Slots.SetItem(
                i,
                random.Next(2) == 0
                    ? slot with
                    {
                        Arena = 1 - slot.Arena,
                    }
                    : slot with
                    {
                        Offset = new Bytes(slot.Offset.Value + random.Next(-256, 256)),
                    }
            ),
        };
    }

    private static Schedule SlotLength(Schedule s, Random random)
    {
        int i = random.Next(s.Slots.Length);
        return s with { Slots = s.Slots.SetItem(i, s.Slots[i] with { Length = new Bytes(random.NextInt64(s.Slots[i].Length.Value * 2)) }) };
    }

    private static Schedule SlotsExchanged(Schedule s, Random random)
    {
        var (i, j) = (random.Next(s.Slots.Length), random.Next(s.Slots.Length));
        var (a, b) = (s.Slots[i], s.Slots[j]);
        return s with
        {
            Slots = s
                .Slots.SetItem(i, a with { Offset = b.Offset, Arena = b.Arena })
                .SetItem(j, b with { Offset = a.Offset, Arena = a.Arena }),
        };
    }

    /// <summary>The operands that are the whole object stay so, as in the text, where only parts have a range.</summary>
    private static Schedule ObjectLength(Schedule s, Random random)
    {
        int o = random.Next(s.Objects.Length);
        long old = s.Objects[o].Length.Value;
        var length = new Bytes(
            Math.Max(
                1,
                random.Next(5) switch
                {
                    0 => old - 1,
                    1 => old - 4,
                    2 => old / 2,
                    3 => old + 4,
                    _ => old - 128,
                }
            )
        );
        Access Whole(Access a) => a.Object == o && a.Offset.Value == 0 && a.Length.Value == old ? a with { Length = length } : a;
        return s with
        {
            Objects = s.Objects.SetItem(o, s.Objects[o] with { Length = length }),
            Ops = [.. s.Ops.Select(op => op with { Accesses = [.. op.Accesses.Select(Whole)] })],
        };
    }

    private static Schedule ObjectName(Schedule s, Random random)
    {
        int o = random.Next(s.Objects.Length);
        return s with { Objects = s.Objects.SetItem(o, s.Objects[o] with { Name = s.Objects[o].Name + "9" }) };
    }

    private static Schedule PlacementGone(Schedule s, Random random) => Placements(s, random, (list, i) => list.RemoveAt(i));

    private static Schedule PlacementMoved(Schedule s, Random random) =>
        Placements(s, random, (list, i) =>
            list.SetItem(
                i,
                random.Next(2) == 0
                    ? list[i] with
                    {
                        Slot = random.Next(s.Slots.Length),
                    }
                    : list[i] with
                    {
                        Object = random.Next(s.Objects.Length),
                    }
            )
        );

    private static Schedule PlacementTwice(Schedule s, Random random) =>
        Placements(s, random, (list, i) => list.Add(new Placement(list[i].Object, random.Next(s.Slots.Length))));

    private static Schedule Placements(Schedule s, Random random, Func<ImmutableArray<Placement>, int, ImmutableArray<Placement>> change) =>
        random.Next(6) switch
        {
            0 when s.Inputs.Length > 0 => s with { Inputs = change(s.Inputs, random.Next(s.Inputs.Length)) },
            1 when s.Outputs.Length > 0 => s with { Outputs = change(s.Outputs, random.Next(s.Outputs.Length)) },
            _ => s with { State = change(s.State, random.Next(s.State.Length)) },
        };

    private static Schedule OpGone(Schedule s, Random random)
    {
        int gone = random.Next(s.Ops.Length);
        return s with
        {
            Ops =
            [
                .. s
                    .Ops.Where((_, i) => i != gone)
                    .Select(op =>
                        op with
                        {
                            Waits = [.. op.Waits.Where(w => w.Op != gone).Select(w => w with { Op = w.Op - (w.Op > gone ? 1 : 0) })],
                        }
                    ),
            ],
        };
    }

    private static Schedule OpTwice(Schedule s, Random random)
    {
        int twice = random.Next(s.Ops.Length);
        var moved = s
            .Ops.Select(op => op with { Waits = [.. op.Waits.Select(w => w with { Op = w.Op + (w.Op > twice ? 1 : 0) })] })
            .ToImmutableArray();
        return s with { Ops = moved.Insert(twice + 1, moved[twice]) };
    }

    /// <summary>Two ops of one stream change places, each with the waits of its place.</summary>
    private static Schedule OpsSwapped(Schedule s, Random random)
    {
        int i = random.Next(s.Ops.Length);
        int[] same = [.. Enumerable.Range(0, s.Ops.Length).Where(k => k != i && s.Ops[k].Stream == s.Ops[i].Stream)];
        int j = same.Length == 0 ? i : random.Next(2) == 0 ? same.MinBy(k => Math.Abs(k - i)) : same[random.Next(same.Length)];
        var (a, b) = (s.Ops[i], s.Ops[j]);
        return s with { Ops = s.Ops.SetItem(i, b with { Waits = a.Waits }).SetItem(j, a with { Waits = b.Waits }) };
    }

    private static Schedule OpKindOther(Schedule s, Random random) =>
        Op(s, random, op => op with { Kind = (OpKind)random.Next(Enum.GetValues<OpKind>().Length) });

    private static Schedule OpStream(Schedule s, Random random) =>
        Op(s, random, op => op with { Stream = random.Next(s.Streams.Length), Waits = [.. op.Waits.Take(0)] });

    private static Schedule OpLayer(Schedule s, Random random) =>
        Op(s, random, op => op with { Layer = random.Next(4) == 0 ? null : new Layer(random.Next(4)) });

    private static Schedule OpChunk(Schedule s, Random random) =>
        Op(s, random, op => op with { Chunk = random.Next(4) == 0 ? null : new Chunk(random.Next(4)) });

    private static Schedule OpRound(Schedule s, Random random) =>
        Op(s, random, op => op with { Round = random.Next(4) == 0 ? null : new Round(random.Next(4)) });

    private static Schedule OpBlock(Schedule s, Random random) =>
        Op(s, random, op => op with { VocabularyBlock = random.Next(4) == 0 ? null : new VocabularyBlock(random.Next(3)) });

    private static Schedule OpPiece(Schedule s, Random random) => Op(s, random, op => op with { Piece = random.Next(4) });

    private static Schedule OpSaved(Schedule s, Random random) =>
        Op(s, random, op => op with { Saved = op.Saved ^ (SaveSet)(1 << random.Next(5)) });

    private static Schedule OpWanted(Schedule s, Random random) =>
        Op(s, random, op => op with { Wanted = op.Wanted ^ (SaveSet)(1 << random.Next(5)) });

    /// <summary>Another object of the same length, most often: of another layer, chunk or round.</summary>
    private static Schedule OperandObject(Schedule s, Random random) =>
        Operand(s, random, a => a with { Object = Alike(s, a.Object, random) });

    /// <summary>A copy of one object becomes one of another.</summary>
    private static Schedule BothObjects(Schedule s, Random random) => Op(s, random, op =>
    {
        int first = op.Accesses[0].Object, other = Alike(s, first, random);
        return op with { Accesses = [.. op.Accesses.Select(a => a.Object == first ? a with { Object = other } : a)] };
    });

    private static Schedule OperandSlot(Schedule s, Random random) =>
        Operand(s, random, a => a with { Slot = random.Next(s.Slots.Length) });

    private static Schedule OperandRange(Schedule s, Random random) => Operand(s, random, a => random.Next(3) switch
    {
        0 => a with { Length = new Bytes(Math.Max(1, a.Length.Value / 2)) },
        1 => a with { Offset = new Bytes(a.Length.Value / 2), Length = new Bytes(Math.Max(1, a.Length.Value / 2)) },
        _ => a with { Length = new Bytes(Math.Max(1, a.Length.Value - 4)) },
    });

    private static Schedule OperandMode(Schedule s, Random random) =>
        Operand(s, random, a => a with { Mode = (AccessMode)(((int)a.Mode + random.Next(1, 3)) % 3) });

    private static Schedule OperandRole(Schedule s, Random random) => Operand(s, random, a => a with { Role = random.Next(3) switch
                {
                    0 => "x",
                    1 => "w",
                    _ => a.Role + "2",
                } });

    private static Schedule OperandGone(Schedule s, Random random) =>
        Op(s, random, op => op with { Accesses = op.Accesses.RemoveAt(random.Next(op.Accesses.Length)) });

    private static Schedule OperandsSwapped(Schedule s, Random random) => Op(s, random, op =>
        {
            var (i, j) = (random.Next(op.Accesses.Length), random.Next(op.Accesses.Length));
            var (a, b) = (op.Accesses[i], op.Accesses[j]);
            return op with
            {
                Accesses = op
                    .Accesses.SetItem(i, a with { Object = b.Object, Slot = b.Slot, Offset = b.Offset, Length = b.Length })
                    .SetItem(j, b with { Object = a.Object, Slot = a.Slot, Offset = a.Offset, Length = a.Length }),
            };
        });

    private static Schedule WaitGone(Schedule s, Random random) =>
        Op(s, random, op => op.Waits.IsEmpty ? op : op with { Waits = op.Waits.RemoveAt(random.Next(op.Waits.Length)) });

    private static Schedule WaitOther(Schedule s, Random random) =>
        Op(s, random, op =>
            op.Waits.IsEmpty
                ? op
                : op with
                {
                    Waits = op.Waits.SetItem(0, op.Waits[0] with { Op = Math.Max(0, op.Waits[0].Op + random.Next(-3, 4)) }),
                }
        );

    private static int Alike(Schedule s, int o, Random random)
    {
        int[] alike =
        [
            .. Enumerable
                .Range(0, s.Objects.Length)
                .Where(k => k != o && s.Objects[k].Length == s.Objects[o].Length && s.Objects[k].Name[0] == s.Objects[o].Name[0]),
        ];
        return alike.Length == 0 ? random.Next(s.Objects.Length) : alike[random.Next(alike.Length)];
    }

    private static Schedule Operand(Schedule s, Random random, Func<Access, Access> change) => Op(s, random, op =>
    {
        int a = random.Next(op.Accesses.Length);
        return op with { Accesses = op.Accesses.SetItem(a, change(op.Accesses[a])) };
    });

    private static Schedule Op(Schedule s, Random random, Func<ScheduledOp, ScheduledOp> change)
    {
        int i = random.Next(s.Ops.Length);
        return s with { Ops = s.Ops.SetItem(i, change(s.Ops[i])) };
    }
}
