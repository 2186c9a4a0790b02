using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats;

/// <summary>
/// The head of one GGUF file, little endian: "GGUF", version, how many tensors and keys; each key with its value; each tensor's name,
/// dimensions (the contiguous one first), type, and offset from where the data begins, which is the next multiple of the alignment. Tensors
/// lie in the order of the list, each at the first multiple of the alignment behind the one before: readers everywhere ask for it.
/// </summary>
internal sealed record GgufHeader(
    uint Version, long Alignment, long DataStart, IReadOnlyList<KeyValuePair<string, GgufValue>> Values, IReadOnlyList<GgufTensor> Tensors
)
{
    /// <summary>The first four bytes.</summary>
    public const uint Magic = 0x46554747;

    /// <summary>Of tensors in a file that does not say.</summary>
    public const int DefaultAlignment = 32;

    /// <summary>The key that says it.</summary>
    public const string AlignmentKey = "general.alignment";

    private const int LongestName = 1 << 16;
    private const int MostDimensions = 4;
    private const int LargestAlignment = 1 << 20;

    // A name's length, the number of dimensions, one of them, the type and the offset; and a key's length, its kind and a byte.
    private const int LeastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;
    private const int LeastKeyBytes = 8 + 1 + 4 + 1;

    /// <summary>Reads and checks the head against the file's length.</summary>
    /// <exception cref="UserErrorException">The file is no GGUF file, or damaged.</exception>
    public static GgufHeader Read(ReadOnlyFile file)
    {
        var reader = new GgufReader(file);
        if (reader.Number<uint>("the first word") is var magic && magic != Magic)
        {
            byte[] bytes = BitConverter.GetBytes(magic);
            throw reader.Damaged($"it begins with the bytes {Convert.ToHexString(bytes)}, and GGUF was expected");
        }

        uint version = reader.Number<uint>("the version");
        if (version is not (2 or 3))
        {
            bool bigEndian = BinaryPrimitives.ReverseEndianness(version) is 2 or 3;
            throw new UserErrorException(
                bigEndian
                    ? $"{file.Path} is a GGUF file of a big-endian machine, and little endian is needed; convert the model anew"
                    : $"{file.Path} is a GGUF file of version {version}, and versions 2 and 3 are read; convert the model anew");
        }

        int tensorCount = reader.Count(LeastTensorBytes, "the number of tensors");
        int valueCount = reader.Count(LeastKeyBytes, "the number of keys");
        var values = ReadValues(reader, valueCount);
        var listed = ReadTensors(reader, tensorCount);
        long alignment = AlignmentOf(reader, values);
        long start = Aligned(reader.Position, alignment);
        return new GgufHeader(version, alignment, start, values, Placed(file, reader, listed, start, alignment));
    }

    /// <summary>The next multiple of the alignment.</summary>
    public static long Aligned(long position, long alignment) => (position + alignment - 1) / alignment * alignment;

    private static List<KeyValuePair<string, GgufValue>> ReadValues(GgufReader reader, int count)
    {
        var values = new List<KeyValuePair<string, GgufValue>>(count);
        var names = new HashSet<string>(count, StringComparer.Ordinal);
        for (int i = 0; i < count; i++)
        {
            string key = Name(reader, $"key {i + 1} of {count}");
            if (!names.Add(key))
            {
                throw reader.Damaged($"it has two values of the key {Shown(key)}");
            }

            values.Add(new(key, reader.Value($"the value of {Shown(key)}")));
        }

        return values;
    }

    /// <summary>A tensor as the list has it, its offset not yet believed.</summary>
    private readonly record struct Listed(string Name, long[] Shape, BlockFormat Format, ulong Offset);

    private static List<Listed> ReadTensors(GgufReader reader, int count)
    {
        var tensors = new List<Listed>(count);
        var names = new HashSet<string>(count, StringComparer.Ordinal);
        for (int i = 0; i < count; i++)
        {
            string name = Name(reader, $"the name of tensor {i + 1} of {count}");
            string shown = Shown(name);
            if (!names.Add(name))
            {
                throw reader.Damaged($"it has two tensors named {shown}");
            }

            uint rank = reader.Number<uint>($"tensor {shown}");
            if (rank is < 1 or > MostDimensions)
            {
                throw reader.Damaged($"tensor {shown} has {rank} dimensions, and 1 to {MostDimensions} are possible");
            }

            var shape = new long[rank];
            for (int d = 0; d < rank; d++)
            {
                ulong size = reader.Number<ulong>($"tensor {shown}");
                shape[rank - 1 - d] = size is > 0 and <= long.MaxValue ? (long)size
                    : throw reader.Damaged($"tensor {shown} has a dimension of {size}");
            }

            uint type = reader.Number<uint>($"tensor {shown}");
            var format = BlockFormats.Find(type)
                ?? throw new UserErrorException(
                    $"{reader.Damaged($"tensor {shown} is of the type {BlockFormats.NameOf(type)}").Message}, and these can be read: "
                        + BlockFormats.Names);
            tensors.Add(new(name, shape, format, reader.Number<ulong>($"tensor {shown}")));
        }

        return tensors;
    }

    private static long AlignmentOf(GgufReader reader, List<KeyValuePair<string, GgufValue>> values) =>
        values.Find(v => v.Key == AlignmentKey).Value switch
        {
            null => DefaultAlignment,
            GgufValue.Whole { Number: var n } when n >= 1 && n <= LargestAlignment && BitOperations.IsPow2((long)n) => (long)n,
            GgufValue.Whole { Number: var n } => throw reader.Damaged($"{AlignmentKey} is {n}, and a power of two was expected"),
            _ => throw reader.Damaged($"{AlignmentKey} is no whole number"),
        };

    private static List<GgufTensor> Placed(ReadOnlyFile file, GgufReader reader, List<Listed> listed, long start, long alignment)
    {
        var placed = new List<GgufTensor>(listed.Count);
        long next = 0;
        foreach (var (name, shape, format, offset) in listed)
        {
            string shown = Shown(name);
            if (shape[^1] % format.Values != 0)
            {
                throw reader.Damaged(
                    $"rows of tensor {shown} have {shape[^1]} elements, no multiple of the {format.Values} of a block of {format.Name}");
            }

            try
            {
                long count = shape.Aggregate(1L, (product, d) => checked(product * d));
                long bytes = checked(count / format.Values * format.Bytes);
                if (offset != (ulong)next)
                {
                    throw reader.Damaged(
                        $"tensor {shown} lies at byte {offset} of the data, and {next} was expected, behind the tensor before it");
                }

                long end = checked(start + next + bytes);
                if (end > file.Length)
                {
                    throw reader.Damaged(
                        $"tensor {shown} ends at byte {end}, and the file has {file.Length}; it may be cut short: fetch it again");
                }

                placed.Add(new GgufTensor(file, name, shape, format, start + next));
                next = Aligned(checked(next + bytes), alignment);
            }
            catch (OverflowException)
            {
                throw reader.Damaged($"tensor {shown} has a shape beyond any file");
            }
        }

        return placed;
    }

    private static string Name(GgufReader reader, string what)
    {
        string name = reader.Text(what);
        return name.Length is > 0 and <= LongestName ? name : throw reader.Damaged($"{what} has a length of {name.Length}");
    }

    /// <summary>A name in a message: damaged ones may have line ends and be of any length.</summary>
    internal static string Shown(string name)
    {
        const int most = 64;
        var shown = new StringBuilder();
        foreach (char c in name.AsSpan(0, Math.Min(name.Length, most)))
        {
            shown.Append(char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' ? '?' : c);
        }

        return name.Length > most ? shown.Append("...").ToString() : shown.ToString();
    }
}
