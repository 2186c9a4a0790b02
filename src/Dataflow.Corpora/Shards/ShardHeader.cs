using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>
/// What a shard says of itself: 8 bytes with the length of a JSON object, little endian, the object, spaces up to <see cref="DataStart"/>,
/// then the ids, the offsets of documents (32-bit numbers, one more than there are documents), and where there are any, weights (a byte a
/// token: 0 where it is not trained as a target, else 1; of a preference 2 where prompt and rejected answer begin).
/// </summary>
public sealed record ShardHeader
{
    /// <summary>Where the ids begin.</summary>
    public const int DataStart = 4096;

    private const int Version = 1;
    private const int LengthBytes = 8;

    /// <summary>Bytes of an id: 2 or 4.</summary>
    public required int IdBytes { get; init; }

    /// <summary>Tokens.</summary>
    public required int Tokens { get; init; }

    /// <summary>Documents that begin or go on in it.</summary>
    public required int Documents { get; init; }

    /// <summary>Whether its first document is the rest of the last one of the shard before.</summary>
    public required bool Continues { get; init; }

    /// <summary>Whether each target has a weight.</summary>
    public required bool HasWeights { get; init; }

    /// <summary>Of the documents.</summary>
    public required DocumentKind Kind { get; init; }

    /// <summary>One more than the largest id of the tokenizer.</summary>
    public required int IdCount { get; init; }

    /// <summary>SHA-256 of the tokenizer's file.</summary>
    public required string Tokenizer { get; init; }

    /// <summary>The id behind each document; null if there is none.</summary>
    public required int? End { get; init; }

    /// <summary>XXH128 of the file, with no checksum in its header.</summary>
    public required string Checksum { get; init; }

    /// <summary>Where the offsets of documents begin.</summary>
    public long OffsetsStart => Aligned(DataStart + ((long)Tokens * IdBytes));

    /// <summary>Where the weights begin.</summary>
    public long WeightsStart => OffsetsStart + ((Documents + 1L) * sizeof(uint));

    /// <summary>Bytes of the file.</summary>
    public long FileLength => WeightsStart + (HasWeights ? Tokens : 0);

    /// <summary>The first bytes of the file.</summary>
    public byte[] Write()
    {
        var json = new JsonObject
        {
            ["format"] = "dataflow-tokens",
            ["version"] = Version,
            ["id_type"] = IdBytes == sizeof(ushort) ? "uint16" : "uint32",
            ["tokens"] = Tokens,
            ["documents"] = Documents,
            ["continues"] = Continues,
            ["kind"] = DocumentKinds.NameOf(Kind),
            ["ids"] = IdCount,
            ["tokenizer_sha256"] = Tokenizer,
            ["end"] = End,
            ["offsets"] = Place(OffsetsStart, "uint32", Documents + 1),
            ["weights"] = HasWeights ? Place(WeightsStart, "uint8", Tokens) : null,
            ["checksum"] = Checksum,
        };
        byte[] text = Encoding.UTF8.GetBytes(json.ToJsonString());
        byte[] bytes = new byte[DataStart];
        bytes.AsSpan().Fill((byte)' ');
        BitConverter.TryWriteBytes(bytes, (long)(DataStart - LengthBytes));
        text.CopyTo(bytes, LengthBytes);
        return bytes;
    }

    /// <summary>Reads it.</summary>
    /// <param name="path">For messages.</param>
    /// <param name="bytes">The file's first bytes, <see cref="DataStart"/> of them.</param>
    /// <param name="length">Bytes of the file.</param>
    /// <exception cref="UserErrorException">It is no shard, of another version, or was cut short.</exception>
    public static ShardHeader Read(string path, ReadOnlySpan<byte> bytes, long length)
    {
        try
        {
            if (bytes.Length != DataStart || BitConverter.ToInt64(bytes) != DataStart - LengthBytes)
            {
                throw new UserErrorException($"{path} is no shard of tokens: its first bytes are not its header's");
            }

            using var json = JsonDocument.Parse(Encoding.UTF8.GetString(bytes[LengthBytes..]));
            var root = json.RootElement;
            int version = root.GetProperty("version").GetInt32();
            if (root.GetProperty("format").GetString() != "dataflow-tokens" || version != Version)
            {
                throw new UserErrorException($"{path} is a shard of version {version}, and this program reads version {Version}");
            }

            var header = new ShardHeader
            {
                IdBytes = root.GetProperty("id_type").GetString() == "uint16" ? sizeof(ushort) : sizeof(uint),
                Tokens = root.GetProperty("tokens").GetInt32(),
                Documents = root.GetProperty("documents").GetInt32(),
                Continues = root.GetProperty("continues").GetBoolean(),
                HasWeights = root.GetProperty("weights").ValueKind != JsonValueKind.Null,
                Kind = DocumentKinds.Named(root.GetProperty("kind").GetString()!),
                IdCount = root.GetProperty("ids").GetInt32(),
                Tokenizer = root.GetProperty("tokenizer_sha256").GetString()!,
                End = root.GetProperty("end") is { ValueKind: JsonValueKind.Number } end ? end.GetInt32() : null,
                Checksum = root.GetProperty("checksum").GetString()!,
            };
            if (header.Tokens < 0 || header.Documents < 0 || !header.Write().AsSpan().SequenceEqual(bytes))
            {
                throw new UserErrorException($"{path} is damaged: its header is not as it was written; tokenize anew");
            }

            return header.FileLength == length
                ? header
                : throw new UserErrorException(
                    $"{path} has {length} bytes, and its header speaks of {header.FileLength}: it was cut short or changed; tokenize anew");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new UserErrorException($"{path} is no shard of tokens: its header cannot be read; tokenize anew");
        }
    }

    private static JsonObject Place(long start, string type, int count) =>
        new() { ["type"] = type, ["start"] = start, ["count"] = count };

    private static long Aligned(long offset) => (offset + 7) / 8 * 8;
}
