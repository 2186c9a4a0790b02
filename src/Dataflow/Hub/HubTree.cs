using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// The listing of a commit as the cache keeps it, in the form of the hub's own library: from it a snapshot is known to be complete without
/// asking anybody. A commit's listing never changes.
/// </summary>
internal static class HubTree
{
    private const int Version = 1;
    private const int Deepest = 16;
    private static readonly Bytes s_largest = new(256 << 20);

    /// <summary>Keeps a listing.</summary>
    public static void Write(string path, IEnumerable<HubFile> files)
    {
        var list = new JsonObject();
        foreach (var file in files)
        {
            list[file.Path] = new JsonObject
            {
                ["size"] = file.Size,
                ["blob_id"] = file.GitId,
                ["lfs_sha256"] = file.Sha256,
                ["lfs_size"] = file.Sha256 is null ? null : file.Size,
                ["xet_hash"] = file.XetHash,
            };
        }

        AtomicFile.WriteText(path, new JsonObject { ["format_version"] = Version, ["files"] = list }.ToJsonString());
    }

    /// <summary>The listing that was kept; null if there is none that can be read, for the hub has it too.</summary>
    public static IReadOnlyDictionary<string, HubFile>? Read(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            using var json = JsonDocument.Parse(
                Encoding.UTF8.GetBytes(InputFile.ReadText(path, s_largest)), new JsonDocumentOptions { MaxDepth = Deepest });
            return json.RootElement.GetProperty("format_version").GetInt32() != Version ? null
                : json.RootElement.GetProperty("files").EnumerateObject().Select(Read).ToDictionary(f => f.Path, StringComparer.Ordinal);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException
            or ArgumentException or UserErrorException or FailedException)
        {
            return null;
        }
    }

    private static HubFile Read(JsonProperty entry)
    {
        string? Text(string key) => entry.Value.TryGetProperty(key, out var value) ? value.GetString() : null;
        bool large = Text("lfs_sha256") is not null && entry.Value.TryGetProperty("lfs_size", out var size)
            && size.ValueKind == JsonValueKind.Number;
        return HubFile.Checked(
            entry.Name,
            entry.Value.GetProperty(large ? "lfs_size" : "size").GetInt64(),
            Text("blob_id") ?? "",
            Text("lfs_sha256"),
            Text("xet_hash"));
    }
}
