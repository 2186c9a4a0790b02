using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Dataflow.Model;

namespace Dataflow.Schedules.Internals;

/// <summary>Prints a schedule line by line. The grammar is in the README.</summary>
internal sealed class ScheduleWriter(Schedule schedule)
{
    /// <summary>First line of the text; the number changes with the grammar.</summary>
    public const string Header = "schedule 1";

    private static readonly string[] SetNames =
    [
        .. Enumerable.Range(0, (int)SaveSet.All + 1).Select(s => ((SaveSet)s).ToString().Replace(", ", ",", StringComparison.Ordinal)),
    ];

    private static readonly string[] KindNames = Enum.GetNames<OpKind>();

    private readonly StringBuilder line = new();
    private readonly string[] arenas = TextNames.References(schedule.Arenas.AsSpan(), a => a.Name);
    private readonly string[] streams = TextNames.References(schedule.Streams.AsSpan(), s => s);
    private readonly string[] slots = TextNames.References(schedule.Slots.AsSpan(), s => s.Name);
    private readonly string[] objects = TextNames.References(schedule.Objects.AsSpan(), o => o.Name);

    /// <summary>Writes the whole schedule; lines end in "\n" on every machine.</summary>
    public void WriteTo(TextWriter output)
    {
        EndLine(line.Append(Header), output);
        foreach ((string key, string value) in schedule.Facts.AsSpan())
        {
            Declare("fact", key);
            line.Append(' ');
            TextNames.AppendName(line, value);
            EndLine(line, output);
        }

        foreach (Arena arena in schedule.Arenas.AsSpan())
        {
            Declare("arena", arena.Name);
            EndLine(line.Append(CultureInfo.InvariantCulture, $" {arena.Length.Value}"), output);
        }

        foreach (string stream in schedule.Streams.AsSpan())
        {
            Declare("stream", stream);
            EndLine(line, output);
        }

        foreach (Slot slot in schedule.Slots.AsSpan())
        {
            Declare("slot", slot.Name);
            line.Append(' ').Append(TextNames.Reference(arenas, slot.Arena));
            EndLine(line.Append(CultureInfo.InvariantCulture, $" {slot.Offset.Value}+{slot.Length.Value}"), output);
        }

        foreach (DataObject o in schedule.Objects.AsSpan())
        {
            Declare("object", o.Name);
            EndLine(line.Append(CultureInfo.InvariantCulture, $" {o.Length.Value}"), output);
        }

        WritePlacements("input", schedule.Inputs, output);
        WritePlacements("state", schedule.State, output);
        WritePlacements("output", schedule.Outputs, output);
        int count = schedule.Ops.AsSpan().Length;
        for (int i = 0; i < count; i++)
        {
            AppendOp(line, i);
            EndLine(line, output);
        }

        EndLine(line.Append(CultureInfo.InvariantCulture, $"end {count}"), output);
    }

    /// <summary>Appends one op, without a line end.</summary>
    public void AppendOp(StringBuilder text, int index)
    {
        ScheduledOp op = schedule.Ops[index];
        AppendOpName(text, index, op);
        // Before the stream, so that an operand may have the role "save".
        AppendSet(text, " save=", op.Saved);
        AppendSet(text, " want=", op.Wanted);
        text.Append(" on ").Append(TextNames.Reference(streams, op.Stream));
        foreach (ref readonly Access access in op.Accesses.AsSpan())
        {
            text.Append(' ');
            TextNames.AppendName(text, access.Role);
            text.Append('=');
            AppendAccess(text, access);
        }

        if (op.Waits.AsSpan().Length > 0)
        {
            text.Append(" after");
            foreach (Wait wait in op.Waits.AsSpan())
            {
                AppendWait(text, wait);
            }
        }
    }

    /// <summary>Appends what tells an op from the others: "op 17 Forward L00 C2 R0".</summary>
    public static void AppendOpName(StringBuilder text, int index, ScheduledOp op)
    {
        string kind = (uint)op.Kind < (uint)KindNames.Length ? KindNames[(int)op.Kind] : op.Kind.ToString();
        text.Append(CultureInfo.InvariantCulture, $"op {index} {kind}");
        if (op.Layer is { } layer)
        {
            text.Append(CultureInfo.InvariantCulture, $" L{layer.Index:00}");
        }

        if (op.VocabularyBlock is { } block)
        {
            text.Append(CultureInfo.InvariantCulture, $" B{block.Index}");
        }

        if (op.Chunk is { } chunk)
        {
            text.Append(CultureInfo.InvariantCulture, $" C{chunk.Index}");
        }

        if (op.Round is { } round)
        {
            text.Append(CultureInfo.InvariantCulture, $" R{round.Index}");
        }

        if (op.Segment is { } segment)
        {
            text.Append(CultureInfo.InvariantCulture, $" S{segment.Index}/{segment.Count}");
        }

        if (op.Piece != 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" piece={op.Piece}");
        }
    }

    /// <summary>Appends an operand without its role: "X/L00@X.3[0+4096]:r"; the range is left out if it is the whole object.</summary>
    public void AppendAccess(StringBuilder text, in Access access)
    {
        text.Append(TextNames.Reference(objects, access.Object)).Append('@').Append(TextNames.Reference(slots, access.Slot));
        bool whole = access.Offset.Value == 0 && (uint)access.Object < (uint)objects.Length
            && access.Length == schedule.Objects[access.Object].Length;
        if (!whole)
        {
            text.Append(CultureInfo.InvariantCulture, $"[{access.Offset.Value}+{access.Length.Value}]");
        }

        _ = access.Mode switch
        {
            AccessMode.Read => text.Append(":r"),
            AccessMode.Write => text.Append(":w"),
            AccessMode.ReadWrite => text.Append(":rw"),
            _ => text.Append(CultureInfo.InvariantCulture, $":{(int)access.Mode}"),
        };
    }

    /// <summary>The reference to a slot.</summary>
    public string Slot(int index) => TextNames.Reference(slots, index);

    /// <summary>The reference to an object.</summary>
    public string Object(int index) => TextNames.Reference(objects, index);

    private static void AppendSet(StringBuilder text, string label, SaveSet set)
    {
        if (set == SaveSet.None)
        {
            return;
        }

        text.Append(label);
        _ = (uint)set < (uint)SetNames.Length
            ? text.Append(SetNames[(int)set])
            : text.Append(CultureInfo.InvariantCulture, $"{(int)set}");
    }

    private static void AppendWait(StringBuilder text, Wait wait) => _ = wait switch
    {
        { Distance: 0, Op: >= 0 } => text.Append(CultureInfo.InvariantCulture, $" {wait.Op}"),
        { Distance: 1, Op: >= 0 } => text.Append(CultureInfo.InvariantCulture, $" -{wait.Op}"),

        // Not a wait that verifies, but one that has to print to be understood.
        _ => text.Append(CultureInfo.InvariantCulture, $" {wait.Op}~{wait.Distance}"),
    };

    private void WritePlacements(string keyword, ImmutableArray<Placement> placements, TextWriter output)
    {
        foreach (Placement placement in placements.AsSpan())
        {
            line.Append(keyword).Append(' ').Append(Object(placement.Object)).Append('@').Append(Slot(placement.Slot));
            EndLine(line, output);
        }
    }

    private void Declare(string keyword, string name)
    {
        line.Append(keyword).Append(' ');
        TextNames.AppendName(line, name);
    }

    private static void EndLine(StringBuilder line, TextWriter output)
    {
        output.Write(line.Append('\n'));
        line.Clear();
    }
}
