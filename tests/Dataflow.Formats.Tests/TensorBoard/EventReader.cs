using System.Buffers.Binary;
using System.Text;

namespace Dataflow.Formats.Tests.TensorBoard;

/// <summary>A histogram as a reader finds it.</summary>
internal sealed record ReadHistogram(double[] Sums, double[] Limits, double[] Counts);

/// <summary>An event as a reader finds it.</summary>
internal sealed record ReadEvent(double Seconds, long Step)
{
    public string? Version { get; set; }

    public ulong? Session { get; set; }

    public List<(string Tag, float Value)> Scalars { get; } = [];

    public List<(string Tag, ReadHistogram Values)> Histograms { get; } = [];
}

/// <summary>
/// Reads event files by the formats' descriptions alone, sharing nothing with what writes them: records of TFRecord with their checksums,
/// and messages of protobuf, whose fields are a key (number and wire type) and a value.
/// </summary>
internal static class EventReader
{
    public static List<ReadEvent> Read(byte[] file)
    {
        var events = new List<ReadEvent>();
        for (int at = 0; at < file.Length;)
        {
            byte[] length = file[at..(at + 8)];
            Assert.Equal(Masked(Castagnoli(length)), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 8)));
            int count = (int)BinaryPrimitives.ReadUInt64LittleEndian(length);
            byte[] record = file[(at + 12)..(at + 12 + count)];
            Assert.Equal(Masked(Castagnoli(record)), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 12 + count)));
            events.Add(Event(record));
            at += 16 + count;
        }

        return events;
    }

    /// <summary>Bit by bit, by the reversed polynomial.</summary>
    public static uint Castagnoli(byte[] bytes)
    {
        uint crc = 0xffffffff;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) == 1 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
            }
        }

        return crc ^ 0xffffffff;
    }

    private static uint Masked(uint crc) => ((crc >> 15) | (crc << 17)) + 0xa282ead8;

    private static ReadEvent Event(byte[] bytes)
    {
        var fields = Fields(bytes);
        var read = new ReadEvent(
            BitConverter.Int64BitsToDouble((long)fields.Single(f => f.Number == 1).Value),
            (long)fields.Single(f => f.Number == 2).Value);
        foreach (var (number, value, content) in fields)
        {
            switch (number)
            {
                case 3:
                    read.Version = Encoding.UTF8.GetString(content);
                    break;
                case 5:
                    Fields(content).ForEach(f => Value(read, f.Content));
                    break;
                case 7:
                    read.Session = Fields(content).Single(f => f.Number == 1).Value;
                    break;
                default:
                    Assert.InRange(number, 1, 2);
                    break;
            }
        }

        return read;
    }

    private static void Value(ReadEvent read, byte[] bytes)
    {
        var fields = Fields(bytes);
        string tag = Encoding.UTF8.GetString(fields.Single(f => f.Number == 1).Content);
        foreach (var (number, value, content) in fields)
        {
            switch (number)
            {
                case 2:
                    read.Scalars.Add((tag, BitConverter.UInt32BitsToSingle((uint)value)));
                    break;
                case 5:
                    var inner = Fields(content);
                    double[] sums = [.. inner.Where(f => f.Number <= 5).Select(f => BitConverter.Int64BitsToDouble((long)f.Value))];
                    read.Histograms.Add((tag, new ReadHistogram(
                        sums, Doubles(inner.Single(f => f.Number == 6).Content), Doubles(inner.Single(f => f.Number == 7).Content))));
                    break;
                default:
                    Assert.Equal(1, number);
                    break;
            }
        }
    }

    private static double[] Doubles(byte[] packed) =>
        [.. Enumerable.Range(0, packed.Length / 8).Select(i => BitConverter.ToDouble(packed, 8 * i))];

    private static List<(int Number, ulong Value, byte[] Content)> Fields(byte[] bytes)
    {
        var fields = new List<(int, ulong, byte[])>();
        for (int at = 0; at < bytes.Length;)
        {
            ulong key = Varint(bytes, ref at);
            int number = (int)(key >> 3);
            switch (key & 7)
            {
                case 0:
                    fields.Add((number, Varint(bytes, ref at), []));
                    break;
                case 1:
                    fields.Add((number, BitConverter.ToUInt64(bytes, at), []));
                    at += 8;
                    break;
                case 2:
                    int length = (int)Varint(bytes, ref at);
                    fields.Add((number, 0, bytes[at..(at + length)]));
                    at += length;
                    break;
                case 5:
                    fields.Add((number, BitConverter.ToUInt32(bytes, at), []));
                    at += 4;
                    break;
                default:
                    Assert.Fail($"wire type {key & 7}");
                    break;
            }
        }

        return fields;
    }

    private static ulong Varint(byte[] bytes, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = bytes[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }
}
