using System.Text.Json;

namespace Dataflow;

/// <summary>What a repository holds: the commit that a revision stands for, and the files of a commit.</summary>
internal sealed class HubListing(HubClient client, HubSettings settings, Retries retries, HubName name)
{
    private const int LargestAnswer = 16 << 20;
    private const int Deepest = 32;
    private const int MostPages = 1000;
    private const int PieceBytes = 1 << 16;

    /// <summary>The commit; asked once, and used for all that follows, so that a push meanwhile changes nothing.</summary>
    public async Task<string> Commit(CancellationToken stop)
    {
        string path = $"/api/models/{name.Repository}/revision/{Uri.EscapeDataString(name.Revision)}";
        var (json, _) = await Ask(path, stop).ConfigureAwait(false);
        using (json)
        {
            if (json.RootElement is not { ValueKind: JsonValueKind.Object } root || Text(root, "sha") is not { } commit
                || !HubHash.IsGitId(commit))
            {
                throw NotAHub();
            }

            return root.TryGetProperty("disabled", out var disabled) && disabled.ValueKind == JsonValueKind.True
                ? throw new Model.UserErrorException($"{name.Repository} has been disabled on the hub")
                : commit;
        }
    }

    /// <summary>The files of a commit by their paths.</summary>
    public async Task<SortedDictionary<string, HubFile>> Files(string commit, CancellationToken stop)
    {
        var files = new SortedDictionary<string, HubFile>(StringComparer.Ordinal);
        string? path = $"/api/models/{name.Repository}/tree/{commit}?recursive=true&expand=false";
        for (int pages = 0; path is not null; pages++)
        {
            var (json, next) = pages < MostPages
                ? await Ask(path, stop).ConfigureAwait(false)
                : throw new FailedException($"the hub lists the files of {name.Repository} in more than {MostPages} pages");
            using (json)
            {
                if (json.RootElement.ValueKind != JsonValueKind.Array)
                {
                    throw NotAHub();
                }

                foreach (var file in json.RootElement.EnumerateArray().Where(IsFile).Select(Read))
                {
                    files[file.Path] = file;
                }
            }

            path = next;
        }

        return files;
    }

    private static string? Text(JsonElement element, string key) => element.ValueKind == JsonValueKind.Object
        && element.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static long? Number(JsonElement element, string key) => element.ValueKind == JsonValueKind.Object
        && element.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number)
            ? number : null;

    private static bool IsFile(JsonElement entry)
    {
        // A folder's name becomes a path as well as a file's does.
        return Text(entry, "path") is { } path && !HubPaths.IsInside(path)
            ? throw new FailedException($"the hub lists a file '{path}', which is no path inside a repository")
            : Text(entry, "type") == "file";
    }

    /// <summary>Of a large file the id is that of the text that stands for it; what its content is held against is apart.</summary>
    private HubFile Read(JsonElement entry)
    {
        var large = entry.TryGetProperty("lfs", out var lfs) && lfs.ValueKind == JsonValueKind.Object ? lfs : (JsonElement?)null;
        return Text(entry, "path") is { } path && Text(entry, "oid") is { } id
            && (large is { } l ? Number(l, "size") : Number(entry, "size")) is { } size
            && (large is null || Text(large.Value, "oid") is not null)
                ? HubFile.Checked(path, size, id, large is { } of ? Text(of, "oid") : null, Text(entry, "xetHash"))
                : throw NotAHub();
    }

    private FailedException NotAHub() =>
        new($"{settings.Endpoint} does not answer as a hub does; a proxy or a login page may be in between, or HF_ENDPOINT is wrong");

    private Task<(JsonDocument Json, string? Next)> Ask(string path, CancellationToken stop) => retries.Run(
        $"the list of files of {name.Repository}",
        async () =>
        {
            using var silence = new Silence(settings, stop);
            using var answer = await client.Get(path, 0, silence).ConfigureAwait(false);
            if ((int)answer.Status != 200)
            {
                throw HubErrors.Of(answer, name, null, settings);
            }

            byte[] text = await Body(answer, silence).ConfigureAwait(false);
            try
            {
                return (JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = Deepest }), client.NextPage(answer));
            }
            catch (JsonException)
            {
                throw NotAHub();
            }
        },
        () => 0,
        stop);

    private async Task<byte[]> Body(HubAnswer answer, Silence silence)
    {
        using var content = await answer.Content(silence).ConfigureAwait(false);
        using var all = new MemoryStream();
        byte[] piece = new byte[PieceBytes];
        while (await silence.During(stop => content.ReadAsync(piece, stop).AsTask()).ConfigureAwait(false) is var read and > 0)
        {
            all.Write(piece, 0, read);
            if (all.Length > LargestAnswer)
            {
                throw new FailedException($"{answer.Shown} answers with more than {LargestAnswer >> 20} MiB, which no listing has");
            }
        }

        return all.ToArray();
    }
}
