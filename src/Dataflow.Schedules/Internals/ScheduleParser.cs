using System.Collections.Immutable;
using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Schedules.Internals;

/// <summary>Reads what <see cref="ScheduleWriter"/> wrote, or a person did. References resolve to what is declared above them.</summary>
internal sealed class ScheduleParser
{
    private readonly NameTable arenaNames = new("an arena");
    private readonly NameTable streamNames = new("a stream");
    private readonly NameTable slotNames = new("a slot");
    private readonly NameTable objectNames = new("an object");
    private readonly HashSet<string> roles = new(StringComparer.Ordinal);

    private readonly ImmutableArray<KeyValuePair<string, string>>.Builder facts = ImmutableArray.CreateBuilder<
        KeyValuePair<string, string>
    >();
    private readonly ImmutableArray<Arena>.Builder arenas = ImmutableArray.CreateBuilder<Arena>();
    private readonly ImmutableArray<string>.Builder streams = ImmutableArray.CreateBuilder<string>();
    private readonly ImmutableArray<Slot>.Builder slots = ImmutableArray.CreateBuilder<Slot>();
    private readonly ImmutableArray<DataObject>.Builder objects = ImmutableArray.CreateBuilder<DataObject>();
    private readonly ImmutableArray<Placement>.Builder inputs = ImmutableArray.CreateBuilder<Placement>();
    private readonly ImmutableArray<Placement>.Builder state = ImmutableArray.CreateBuilder<Placement>();
    private readonly ImmutableArray<Placement>.Builder outputs = ImmutableArray.CreateBuilder<Placement>();
    private readonly ImmutableArray<ScheduledOp>.Builder ops = ImmutableArray.CreateBuilder<ScheduledOp>();
    private readonly ImmutableArray<Access>.Builder accesses = ImmutableArray.CreateBuilder<Access>();
    private readonly ImmutableArray<Wait>.Builder waits = ImmutableArray.CreateBuilder<Wait>();
    private bool started;
    private bool ended;

    public Schedule Parse(ReadOnlySpan<char> text)
    {
        int number = 0;
        foreach (ReadOnlySpan<char> row in text.EnumerateLines())
        {
            var line = new LineReader(row, ++number);
            if (!line.AtEnd && !row.TrimStart().StartsWith("//"))
            {
                ParseLine(ref line);
            }
        }

        if (!ended)
        {
            throw new LineReader([], number).Error("'end' and the number of ops");
        }

        return new Schedule
        {
            Facts = facts.ToImmutable(),
            Arenas = arenas.ToImmutable(),
            Streams = streams.ToImmutable(),
            Slots = slots.ToImmutable(),
            Objects = objects.ToImmutable(),
            Inputs = inputs.ToImmutable(),
            State = state.ToImmutable(),
            Outputs = outputs.ToImmutable(),
            Ops = ops.ToImmutable(),
        };
    }

    private void ParseLine(ref LineReader line)
    {
        if (ended)
        {
            throw line.Error("nothing after 'end'");
        }

        if (!started)
        {
            started = line.TryReadLabel(ScheduleWriter.Header) ? true : throw line.Error($"'{ScheduleWriter.Header}'");
        }
        else if (line.TryReadKeyword("op"))
        {
            ops.Add(ParseOp(ref line));
        }
        else
        {
            ParseDeclaration(ref line);
        }

        line.ExpectEnd();
    }

    private void ParseDeclaration(ref LineReader line)
    {
        if (line.TryReadKeyword("fact"))
        {
            facts.Add(new(line.ReadName("the name of a fact"), line.ReadName("the value of a fact")));
        }
        else if (line.TryReadKeyword("arena"))
        {
            arenas.Add(new Arena(ReadDeclared(ref line, arenaNames), ReadBytes(ref line, "the length of an arena")));
        }
        else if (line.TryReadKeyword("stream"))
        {
            streams.Add(ReadDeclared(ref line, streamNames));
        }
        else if (line.TryReadKeyword("slot"))
        {
            string name = ReadDeclared(ref line, slotNames);
            int arena = arenaNames.Read(ref line);
            Bytes offset = ReadBytes(ref line, "the offset of a slot");
            line.Expect('+', "'+' and the length of a slot");
            slots.Add(new Slot(name, arena, offset, ReadBytes(ref line, "the length of a slot")));
        }
        else if (line.TryReadKeyword("object"))
        {
            objects.Add(new DataObject(ReadDeclared(ref line, objectNames), ReadBytes(ref line, "the length of an object")));
        }
        else if (line.TryReadKeyword("input"))
        {
            inputs.Add(ReadPlacement(ref line));
        }
        else if (line.TryReadKeyword("state"))
        {
            state.Add(ReadPlacement(ref line));
        }
        else if (line.TryReadKeyword("output"))
        {
            outputs.Add(ReadPlacement(ref line));
        }
        else if (line.TryReadKeyword("end"))
        {
            ExpectOpNumber(ref line, "the number of ops");
            ended = true;
        }
        else
        {
            throw line.Error("fact, arena, stream, slot, object, input, state, output, op or end");
        }
    }

    private ScheduledOp ParseOp(ref LineReader line)
    {
        ExpectOpNumber(ref line, "the number of the op");
        OpKind kind = ReadEnum<OpKind>(ref line, "the kind of an op");
        int? layer = line.TryReadLabel("L") ? line.ReadInt("a layer") : null;
        int? block = line.TryReadLabel("B") ? line.ReadInt("a block of the vocabulary") : null;
        int? chunk = line.TryReadLabel("C") ? line.ReadInt("a chunk") : null;
        int? round = line.TryReadLabel("R") ? line.ReadInt("a round") : null;
        Segment? segment = line.TryReadLabel("S") ? ReadSegment(ref line) : null;
        int piece = line.TryReadLabel("piece=") ? line.ReadInt("a piece") : 0;
        SaveSet saved = line.TryReadLabel("save=") ? ReadSet(ref line) : SaveSet.None;
        SaveSet wanted = line.TryReadLabel("want=") ? ReadSet(ref line) : SaveSet.None;
        if (!line.TryReadKeyword("on"))
        {
            throw line.Error("a layer, block, chunk, round, segment, piece, save, want (in this order), or 'on' and a stream");
        }

        int stream = streamNames.Read(ref line);
        bool after = line.TryReadKeyword("after");
        while (!after && !line.AtEnd)
        {
            accesses.Add(ReadAccess(ref line));
            after = line.TryReadKeyword("after");
        }

        while (!line.AtEnd)
        {
            waits.Add(ReadWait(ref line));
        }

        return new ScheduledOp
        {
            Kind = kind,
            Stream = stream,
            Layer = layer is { } l ? new Layer(l) : null,
            VocabularyBlock = block is { } b ? new VocabularyBlock(b) : null,
            Chunk = chunk is { } c ? new Chunk(c) : null,
            Round = round is { } r ? new Round(r) : null,
            Segment = segment,
            Piece = piece,
            Saved = saved,
            Wanted = wanted,
            Accesses = accesses.DrainToImmutable(),
            Waits = waits.DrainToImmutable(),
        };
    }

    private Access ReadAccess(ref LineReader line)
    {
        string role = line.IsQuoted ? line.ReadName("a role") : Pooled(line.ReadPlain("an operand or 'after'"));
        line.Expect('=', "'=' after the role of an operand");
        Placement place = ReadPlacement(ref line);
        var offset = Bytes.Zero;
        Bytes length;
        if (line.TryRead('['))
        {
            offset = ReadBytes(ref line, "the offset of an operand");
            line.Expect('+', "'+' and the length of an operand");
            length = ReadBytes(ref line, "the length of an operand");
            line.Expect(']', "']'");
        }
        else
        {
            length =
                (uint)place.Object < (uint)objects.Count
                    ? objects[place.Object].Length
                    : throw line.Error("a byte range '[offset+length]'");
        }

        line.Expect(':', "':' and a mode (r, w, rw)");
        return new Access(role, place.Object, place.Slot, offset, length, ReadMode(ref line));
    }

    private static AccessMode ReadMode(ref LineReader line)
    {
        int start = line.Position;
        ReadOnlySpan<char> mode = line.ReadPlain("a mode (r, w, rw)");
        return mode switch
        {
            "r" => AccessMode.Read,
            "w" => AccessMode.Write,
            "rw" => AccessMode.ReadWrite,
            _ => int.TryParse(mode, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
                ? (AccessMode)number
                : throw line.ErrorAt(start, "a mode (r, w, rw)"),
        };
    }

    private static Wait ReadWait(ref LineReader line)
    {
        int start = line.Position;
        bool negative = line.TryRead('-');
        long op = line.ReadLong("an op to wait for (17: of this step, -17: of the step before)");
        int distance = negative ? 1 : 0;
        if (line.TryRead('~'))
        {
            distance = line.ReadInt("a distance");
            op = negative ? -op : op;
        }

        return op is >= int.MinValue and <= int.MaxValue ? new Wait((int)op, distance) : throw line.ErrorAt(start, "an op to wait for");
    }

    private static Segment ReadSegment(ref LineReader line)
    {
        int index = line.ReadInt("a segment");
        line.Expect('/', "'/' and the number of segments");
        return new Segment(index, line.ReadInt("the number of segments"));
    }

    private Placement ReadPlacement(ref LineReader line)
    {
        int o = objectNames.Read(ref line);
        line.Expect('@', "'@' and a slot");
        return new Placement(o, slotNames.Read(ref line));
    }

    private void ExpectOpNumber(ref LineReader line, string expected)
    {
        _ = line.AtEnd;
        int start = line.Position;
        if (line.ReadInt(expected) != ops.Count)
        {
            throw line.ErrorAt(start, string.Create(CultureInfo.InvariantCulture, $"{ops.Count}, {expected}"));
        }
    }

    private string Pooled(ReadOnlySpan<char> role)
    {
        if (!roles.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(role, out string? pooled))
        {
            pooled = role.ToString();
            roles.Add(pooled);
        }

        return pooled;
    }

    private static string ReadDeclared(ref LineReader line, NameTable names)
    {
        string name = line.ReadName("a name");
        names.Add(name);
        return name;
    }

    private static Bytes ReadBytes(ref LineReader line, string expected)
    {
        _ = line.AtEnd;
        return new Bytes(line.ReadLong(expected));
    }

    private static SaveSet ReadSet(ref LineReader line)
    {
        int start = line.Position;
        return Enum.TryParse(line.ReadList("tensors"), out SaveSet set) ? set
            : throw line.ErrorAt(start, $"tensors joined by commas ({string.Join(", ", Enum.GetNames<SaveSet>())})");
    }

    private static T ReadEnum<T>(ref LineReader line, string expected)
        where T : struct, Enum
    {
        _ = line.AtEnd;
        int start = line.Position;
        return Enum.TryParse(line.ReadPlain(expected), out T value) ? value
            : throw line.ErrorAt(start, $"{expected} ({string.Join(", ", Enum.GetNames<T>())})");
    }
}
