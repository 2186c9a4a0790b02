using System.Globalization;
using System.Text;
using Dataflow.Schedules.Internals;

namespace Dataflow.Schedules;

/// <summary>
/// The text form of a schedule, for people, diffs and golden files: one line per arena, stream, slot, object, placement and op. The same
/// schedule gives the same text on any machine and in any culture, and <c>Parse(Print(s))</c> equals <c>s</c>. The grammar is in the
/// README.
/// </summary>
public static class ScheduleText
{
    /// <summary>The whole schedule; lines end in "\n".</summary>
    public static string Print(Schedule schedule)
    {
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        Print(schedule, output);
        return output.ToString();
    }

    /// <summary>The whole schedule, line by line into a writer.</summary>
    public static void Print(Schedule schedule, TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        ArgumentNullException.ThrowIfNull(output);
        new ScheduleWriter(schedule).WriteTo(output);
    }

    /// <summary>The op and its neighbours in issue order, <paramref name="context"/> on each side, with an arrow at the op.</summary>
    public static string PrintAround(Schedule schedule, int op, int context)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        ArgumentOutOfRangeException.ThrowIfNegative(context);
        int count = schedule.Ops.AsSpan().Length;
        ArgumentOutOfRangeException.ThrowIfNegative(op);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(op, count);
        var writer = new ScheduleWriter(schedule);
        var text = new StringBuilder();
        int end = (int)Math.Min(count, (long)op + context + 1);
        for (int i = Math.Max(0, op - context); i < end; i++)
        {
            text.Append(i == op ? "--> " : "    ");
            writer.AppendOp(text, i);
            text.Append('\n');
        }

        return text.ToString();
    }

    /// <summary>What tells an op from the others, as its line begins: "op 17 Forward L00 C2 R0".</summary>
    public static string NameOf(Schedule schedule, int op)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        var text = new StringBuilder();
        ScheduleWriter.AppendOpName(text, op, schedule.Ops[op]);
        return text.ToString();
    }

    /// <summary>Reads the text form. Blank lines and lines that start with "//" are skipped.</summary>
    /// <exception cref="FormatException">The text is not a schedule; the message names the line, what was found and what was
    /// expected.</exception>
    public static Schedule Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new ScheduleParser().Parse(text);
    }
}
