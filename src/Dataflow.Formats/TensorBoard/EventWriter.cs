using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Dataflow.Training;

namespace Dataflow.Formats.TensorBoard;

/// <summary>
/// One <c>Event</c> in protobuf. Of the message, by number of field: 1 wall_time (double), 2 step (int64), 3 file_version (string),
/// 5 summary, 7 session_log. Of a summary: 1 value, each with 1 tag (string), 2 simple_value (float) or 5 histo. Of a histogram: 1 min,
/// 2 max, 3 num, 4 sum, 5 sum_squares (double), 6 bucket_limit, 7 bucket (packed doubles). Of a session log: 1 status, of which 1 is START.
/// </summary>
internal sealed class EventWriter
{
    private const int Varint = 0, Fixed64 = 1, Delimited = 2, Fixed32 = 5;
    private readonly ArrayBufferWriter<byte> all = new();
    private readonly ArrayBufferWriter<byte> summary = new();
    private readonly ArrayBufferWriter<byte> value = new();
    private readonly ArrayBufferWriter<byte> inner = new();

    /// <summary>What was written since it was begun.</summary>
    public ReadOnlySpan<byte> Bytes => all.WrittenSpan;

    /// <summary>Begins an event.</summary>
    public EventWriter Begin(double seconds, int step)
    {
        all.ResetWrittenCount();
        summary.ResetWrittenCount();
        Double(all, 1, seconds);
        Key(all, 2, Varint);
        Number(all, (ulong)step);
        return this;
    }

    /// <summary>It says the version of the file.</summary>
    public void FileVersion(string version) => Text(all, 3, version);

    /// <summary>It says that a session begins with its step.</summary>
    public void SessionStart() => Message(all, 7, [1 << 3 | Varint, 1]);

    /// <summary>It has this scalar.</summary>
    public void Scalar(string tag, float number)
    {
        value.ResetWrittenCount();
        Text(value, 1, tag);
        Key(value, 2, Fixed32);
        BinaryPrimitives.WriteSingleLittleEndian(value.GetSpan(sizeof(float)), number);
        value.Advance(sizeof(float));
        Message(summary, 1, value.WrittenSpan);
    }

    /// <summary>It has this histogram.</summary>
    public void Histogram(string tag, ValueHistogram values)
    {
        inner.ResetWrittenCount();
        Double(inner, 1, values.Least);
        Double(inner, 2, values.Most);
        Double(inner, 3, values.Count);
        Double(inner, 4, values.Sum);
        Double(inner, 5, values.SumOfSquares);
        var buckets = values.Buckets;
        Doubles(inner, 6, [.. buckets.Select(b => b.Limit)]);
        Doubles(inner, 7, [.. buckets.Select(b => b.Count)]);
        value.ResetWrittenCount();
        Text(value, 1, tag);
        Message(value, 5, inner.WrittenSpan);
        Message(summary, 1, value.WrittenSpan);
    }

    /// <summary>It has all its scalars and histograms.</summary>
    public void EndSummary() => Message(all, 5, summary.WrittenSpan);

    private static void Key(ArrayBufferWriter<byte> to, int field, int type) => Number(to, (ulong)(field << 3 | type));

    private static void Number(ArrayBufferWriter<byte> to, ulong number)
    {
        for (; number >= 0x80; number >>= 7)
        {
            Byte(to, (byte)(number | 0x80));
        }

        Byte(to, (byte)number);
    }

    private static void Byte(ArrayBufferWriter<byte> to, byte value)
    {
        to.GetSpan(1)[0] = value;
        to.Advance(1);
    }

    private static void Double(ArrayBufferWriter<byte> to, int field, double number)
    {
        Key(to, field, Fixed64);
        BinaryPrimitives.WriteDoubleLittleEndian(to.GetSpan(sizeof(double)), number);
        to.Advance(sizeof(double));
    }

    private static void Doubles(ArrayBufferWriter<byte> to, int field, double[] numbers)
    {
        Key(to, field, Delimited);
        Number(to, (ulong)numbers.Length * sizeof(double));
        foreach (double number in numbers)
        {
            BinaryPrimitives.WriteDoubleLittleEndian(to.GetSpan(sizeof(double)), number);
            to.Advance(sizeof(double));
        }
    }

    private static void Text(ArrayBufferWriter<byte> to, int field, string text) => Message(to, field, Encoding.UTF8.GetBytes(text));

    private static void Message(ArrayBufferWriter<byte> to, int field, ReadOnlySpan<byte> bytes)
    {
        Key(to, field, Delimited);
        Number(to, (ulong)bytes.Length);
        to.Write(bytes);
    }
}
