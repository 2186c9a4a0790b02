using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Dataflow.Tests;

/// <summary>A hub with one model, a storage host with its large files, and a cache, all of a test's own.</summary>
internal sealed class HubWorld : IDisposable
{
    public const string Id = "someone/tiny";
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";
    public const string Weights = "model.safetensors";
    public const string Index = "model.safetensors.index.json";
    public const string Token = "hf_secret";

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("dataflow-hub-");

    public HubWorld()
    {
        Hub = new HubServer(r => OnHub?.Invoke(r) ?? Answer(r));
        Storage = new HubServer(r => OnStorage?.Invoke(r) ?? Stored(r));
        Files["config.json"] = Encoding.UTF8.GetBytes("{}");
        Files["README.md"] = Encoding.UTF8.GetBytes("not needed");
        Files[Weights] = Bytes(1000, 1);
        Large.Add(Weights);
        Settings = new HubSettings
        {
            Cache = Path.Combine(folder.FullName, "cache"),
            Endpoint = Hub.Url,
            Token = Token,
            Silence = TestClock.Silence,
            Clock = Clock,
        };
    }

    public HubServer Hub { get; }

    public HubServer Storage { get; }

    public TestClock Clock { get; } = new();

    public HubSettings Settings { get; set; }

    public Dictionary<string, byte[]> Files { get; } = [];

    /// <summary>Files that lie on the storage host.</summary>
    public HashSet<string> Large { get; } = [];

    /// <summary>Answers in the hub's place, unless with null.</summary>
    public Func<HubRequest, HubReply?>? OnHub { get; set; }

    /// <summary>Answers in the storage host's place, unless with null.</summary>
    public Func<HubRequest, HubReply?>? OnStorage { get; set; }

    /// <summary>Changes the listing.</summary>
    public Action<JsonArray>? OnTree { get; set; }

    public List<HubEvent> Events { get; } = [];

    public string Repository => Path.Combine(Settings.Cache, "models--someone--tiny");

    public string Snapshot => Path.Combine(Repository, "snapshots", Commit);

    public string[] Blobs => !Directory.Exists(Path.Combine(Repository, "blobs")) ? []
        : [.. Directory.GetFiles(Path.Combine(Repository, "blobs")).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    public string[] Links => !Directory.Exists(Snapshot) ? []
        : [.. Directory.GetFiles(Snapshot).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    public string Blob(string file) => Path.Combine(Repository, "blobs", HashOf(file));

    public string HashOf(string file) => Large.Contains(file) ? Sha256(Files[file]) : GitId(Files[file]);

    public static byte[] Bytes(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

#pragma warning disable CA5350 // git's ids are SHA-1, and nothing is kept secret by them
    public static string GitId(byte[] content) =>
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));
#pragma warning restore CA5350

    public HubSnapshot Fetch(string? revision = null, CancellationToken stop = default) =>
        Dataflow.Hub.Fetch(Id, revision, Settings, Events.Add, stop);

    /// <summary>Fails it, and looks for what no message may hold.</summary>
    public T Fails<T>()
        where T : Exception
    {
        var failure = Assert.ThrowsAny<T>(() => Fetch());
        Assert.DoesNotContain(Token, failure.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("Signature", failure.ToString(), StringComparison.Ordinal);
        return failure;
    }

    /// <summary>Answers a file's first requests in a row as given, and then well.</summary>
    public static Func<HubRequest, HubReply?> InTurn(string path, params Func<HubRequest, HubReply?>[] replies)
    {
        int at = -1;
        return r => r.Path.EndsWith(path, StringComparison.Ordinal) && Interlocked.Increment(ref at) < replies.Length
            ? replies[at](r) : null;
    }

    public void IsWhole()
    {
        Assert.Equal(Files[Weights], File.ReadAllBytes(Path.Combine(Snapshot, Weights)));
        Assert.DoesNotContain(Blobs, b => b.EndsWith(".incomplete", StringComparison.Ordinal));
    }

    public HubReply Answer(HubRequest request)
    {
        string path = Uri.UnescapeDataString(request.Path);
        string resolve = $"/{Id}/resolve/{Commit}/", cached = $"/api/resolve-cache/models/{Id}/{Commit}/";
        return path.StartsWith($"/api/models/{Id}/revision/", StringComparison.Ordinal)
                ? HubReply.Text(200, new JsonObject { ["sha"] = Commit, ["gated"] = false }.ToJsonString())
            : path == $"/api/models/{Id}/tree/{Commit}" ? HubReply.Text(200, Tree())
            : path.StartsWith(resolve, StringComparison.Ordinal) && Files.ContainsKey(path[resolve.Length..])
                ? Resolve(path[resolve.Length..], cached)
            : path.StartsWith(cached, StringComparison.Ordinal)
                ? HubReply.Content(request, Files[path[cached.Length..]], ("X-Repo-Commit", Commit),
                    ("ETag", $"W/\"{HashOf(path[cached.Length..])}\""))
            : HubReply.Text(404, "", ("X-Error-Code", "EntryNotFound"));
    }

    public HubReply Stored(HubRequest request)
    {
        var file = Files.First(f => request.Path == "/" + Sha256(f.Value));
        return HubReply.Content(request, file.Value, ("ETag", $"\"{Sha256(Encoding.ASCII.GetBytes(file.Key))}\""));
    }

    public void Dispose()
    {
        Hub.Dispose();
        Storage.Dispose();
        folder.Delete(recursive: true);
    }

    public string Tree()
    {
        var list = new JsonArray([new JsonObject { ["type"] = "directory", ["path"] = "original", ["oid"] = Commit, ["size"] = 0 }]);
        foreach (var (path, content) in Files)
        {
            var entry = new JsonObject { ["type"] = "file", ["path"] = path, ["size"] = content.Length, ["oid"] = GitId(content) };
            if (Large.Contains(path))
            {
                // The id of a large file is that of the text that stands for it.
                entry["oid"] = GitId(Encoding.ASCII.GetBytes(Sha256(content)));
                entry["lfs"] = new JsonObject { ["oid"] = Sha256(content), ["size"] = content.Length, ["pointerSize"] = 130 };
                entry["xetHash"] = Sha256(Encoding.ASCII.GetBytes("xet"));
            }

            list.Add(entry);
        }

        OnTree?.Invoke(list);
        return list.ToJsonString();
    }

    private HubReply Resolve(string file, string cached) => Large.Contains(file)
        ? HubReply.Text(302, "moved", ("X-Repo-Commit", Commit), ("X-Linked-Etag", $"\"{Sha256(Files[file])}\""),
            ("X-Linked-Size", $"{Files[file].Length}"), ("Location", $"{Storage.Url}/{Sha256(Files[file])}?Signature=secret"))
        : HubReply.Text(307, "moved", ("X-Repo-Commit", Commit), ("Location", $"{cached}{Uri.EscapeDataString(file)}?etag=x"));
}
