using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// The head of a safetensors file: eight bytes with the length of a JSON object, then that object: per tensor its dtype, shape and
/// data_offsets (begin and end, counted from the end of the head), and free text under __metadata__. The data is covered without gap
/// or overlap. https://github.com/huggingface/safetensors#format
/// </summary>
internal sealed record SafetensorsHeader(IReadOnlyList<SafetensorsHeader.Entry> Entries, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>Bytes before the JSON text.</summary>
    public const int LengthBytes = 8;

    /// <summary>The format's own limit on the JSON text.</summary>
    public const long MostBytes = 100_000_000;

    private const string MetadataKey = "__metadata__";

    /// <summary>A tensor of the file; the offset is a position in the file.</summary>
    public sealed record Entry(string Name, StoredType Type, IReadOnlyList<long> Shape, long Offset, long Count);

    /// <summary>Reads and checks the head against the file's length.</summary>
    /// <exception cref="UserErrorException">The file is no safetensors file, or damaged.</exception>
    public static SafetensorsHeader Read(ReadOnlyFile file)
    {
        if (file.Length < LengthBytes)
        {
            throw Damaged(file, $"it has {file.Length} bytes, and even an empty one has more");
        }

        Span<byte> prefix = stackalloc byte[LengthBytes];
        file.Read(0, prefix);
        ulong stated = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (stated > MostBytes)
        {
            throw Damaged(file, $"its header would be {stated} bytes long, and at most {MostBytes} are possible");
        }

        long dataStart = LengthBytes + (long)stated;
        if (dataStart > file.Length)
        {
            throw Damaged(file, $"its header needs {dataStart} bytes and the file has {file.Length}; it was cut short");
        }

        byte[] json = new byte[stated];
        file.Read(LengthBytes, json);
        if (!Utf8.IsValid(json))
        {
            throw Damaged(file, "its header is not UTF-8 text");
        }

        try
        {
            using var document = JsonDocument.Parse(json);
            return Read(file, document.RootElement, dataStart);
        }
        catch (JsonException e)
        {
            throw Damaged(file, $"its header is not JSON ({e.Message})");
        }
        catch (InvalidOperationException)
        {
            throw Damaged(file, "its header has a value of the wrong type");
        }
    }

    private static SafetensorsHeader Read(ReadOnlyFile file, JsonElement root, long dataStart)
    {
        var entries = new List<Entry>();
        var metadata = new Dictionary<string, string>();
        var names = new HashSet<string>();
        foreach (var member in root.EnumerateObject())
        {
            if (!names.Add(member.Name))
            {
                throw Damaged(file, $"it has two tensors named {member.Name}");
            }

            if (member.Name != MetadataKey)
            {
                entries.Add(ReadEntry(file, member.Name, member.Value, dataStart));
                continue;
            }

            foreach (var pair in member.Value.EnumerateObject())
            {
                metadata[pair.Name] = pair.Value.GetString() ?? throw Damaged(file, $"its metadata {pair.Name} is no text");
            }
        }

        entries.Sort((a, b) => (a.Offset, a.Count).CompareTo((b.Offset, b.Count)));
        CheckCover(file, entries, dataStart);
        return new SafetensorsHeader(entries, metadata);
    }

    private static Entry ReadEntry(ReadOnlyFile file, string name, JsonElement value, long dataStart)
    {
        if (value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("dtype", out var dtype)
            || !value.TryGetProperty("shape", out var shapes)
            || !value.TryGetProperty("data_offsets", out var offsets)
            || offsets.GetArrayLength() != 2
            || !offsets[0].TryGetInt64(out long begin)
            || !offsets[1].TryGetInt64(out long end))
        {
            throw Damaged(file, $"tensor {name} lacks a proper dtype, shape or data_offsets");
        }

        string typeName = dtype.GetString() ?? string.Empty;
        if (!Enum.TryParse(typeName, out StoredType type) || type.ToString() != typeName)
        {
            throw new UserErrorException($"{file.Path}: tensor {name} has element type {typeName}, and F32, BF16 and F16 can be read");
        }

        var shape = new List<long>();
        long count = 1;
        try
        {
            foreach (var dimension in shapes.EnumerateArray())
            {
                if (!dimension.TryGetInt64(out long d) || d < 0)
                {
                    throw Damaged(file, $"tensor {name} has a dimension of {dimension.GetRawText()}");
                }

                shape.Add(d);
                count = checked(count * d);
            }

            if (begin < 0 || end < begin || end > file.Length - dataStart)
            {
                throw Damaged(
                    file,
                    $"tensor {name} should lie at {begin} to {end} of {file.Length - dataStart} bytes of data; the file may be cut short"
                );
            }

            if (end - begin != checked(count * type.Size()))
            {
                throw Damaged(
                    file,
                    $"tensor {name} of shape [{string.Join(", ", shape)}] and type {type} needs {count * type.Size()} bytes and has "
                        + $"{end - begin}"
                );
            }
        }
        catch (OverflowException)
        {
            throw Damaged(file, $"tensor {name} has a shape beyond any file");
        }

        return new Entry(name, type, shape, dataStart + begin, count);
    }

    private static void CheckCover(ReadOnlyFile file, List<Entry> entries, long dataStart)
    {
        long covered = dataStart;
        foreach (var entry in entries)
        {
            if (entry.Offset != covered)
            {
                throw Damaged(
                    file,
                    entry.Offset < covered
                        ? $"tensor {entry.Name} overlaps the one before it"
                        : $"there is a gap before tensor {entry.Name}"
                );
            }

            covered += entry.Count * entry.Type.Size();
        }

        if (covered != file.Length)
        {
            throw Damaged(file, $"its tensors end at byte {covered} and the file at {file.Length}");
        }
    }

    private static UserErrorException Damaged(ReadOnlyFile file, string why) =>
        new($"{file.Path} is not a safetensors file or is damaged: {why}");
}
