using Dataflow.Model;

namespace Dataflow;

/// <summary>The job of fetching a model: what it is, what of it is missing, that it fits the disk, and then all of it.</summary>
internal sealed class HubFetch
{
    private readonly HubSettings settings;
    private readonly HubName name;
    private readonly HubCache cache;
    private readonly Action<HubEvent>? listener;
    private readonly Retries retries;
    private readonly Lock gate = new();
    private long missing;
    private long done;

    /// <summary>Of a model.</summary>
    public HubFetch(HubSettings settings, HubName name, Action<HubEvent>? tell)
    {
        (this.settings, this.name, listener) = (settings, name, tell);
        cache = new HubCache(settings, name);
        retries = new Retries(settings, Tell);
    }

    /// <summary>Does it.</summary>
    public async Task<HubSnapshot> Run(CancellationToken stop)
    {
        try
        {
            return await RunOnDisk(stop).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw HubCache.Unwritable(settings.Cache, e); // what connections throw never comes here
        }
    }

    private async Task<HubSnapshot> RunOnDisk(CancellationToken stop)
    {
        if (settings.Offline)
        {
            return FromCache("HF_HUB_OFFLINE is set: the hub was not asked");
        }

        if (name.Commit is not null && cache.Find() is { Missing.Count: 0 } kept && HubTree.Read(cache.Tree(kept.Commit)) is not null)
        {
            return Snapshot(kept); // what a commit stands for never changes
        }

        using var client = new HubClient(settings);
        string commit;
        IReadOnlyDictionary<string, HubFile> files;
        try
        {
            var listing = new HubListing(client, settings, retries, name);
            commit = await listing.Commit(stop).ConfigureAwait(false);
            files = HubTree.Read(cache.Tree(commit)) ?? await listing.Files(commit, stop).ConfigureAwait(false);
        }
        catch (HubDownException e) when (cache.Find() is { Missing.Count: 0 })
        {
            return FromCache($"the hub was not to be had ({e.Why}): what lies in the cache is used, as of the last time");
        }

        HubSelection.Require(name.Repository, files);
        var download = new HubDownload(client, retries, settings, name, cache, commit);
        return await Fetch(download, commit, files, stop).ConfigureAwait(false);
    }

    /// <summary>The whole snapshot as it lies in the cache; null if it is not there, or not all of it.</summary>
    public static HubSnapshot? FindIn(HubSettings settings, HubName name)
    {
        var cache = new HubCache(settings, name);
        return cache.Find() is { Missing.Count: 0 } found ? Snapshot(cache, name, found) : null;
    }

    /// <summary>The whole snapshot as it lies in the cache.</summary>
    /// <exception cref="UserErrorException">It is not there, or not all of it.</exception>
    public static HubSnapshot FromCache(HubSettings settings, HubName name, string? note, string advice)
    {
        var cache = new HubCache(settings, name);
        return cache.Find() switch
        {
            null => throw new UserErrorException($"{name} is not in the cache {settings.Cache}; {advice}"),
            { Missing: { Count: > 0 } missing } => throw new UserErrorException(
                $"{name} is not complete in the cache {settings.Cache}: {missing[0]}"
                    + (missing.Count > 1 ? $" and {missing.Count - 1:N0} more are missing" : " is missing") + $"; {advice}"),
            var all => Snapshot(cache, name, all) with { Note = note },
        };
    }

    private static HubSnapshot Snapshot(HubCache cache, HubName name, CachedSnapshot found) => new()
    {
        Repository = name.Repository,
        Commit = found.Commit,
        Folder = cache.Snapshot(found.Commit),
        Files = found.Sizes.Count,
        Length = new Bytes(found.Sizes.Values.Sum()),
    };

    private HubSnapshot Snapshot(CachedSnapshot found) => Snapshot(cache, name, found);

    private HubSnapshot FromCache(string note) =>
        FromCache(settings, name, note, $"unset HF_HUB_OFFLINE, and `{name.Command}` fetches it");

    private async Task<HubSnapshot> Fetch(
        HubDownload download, string commit, IReadOnlyDictionary<string, HubFile> files, CancellationToken stop)
    {
        IReadOnlyList<string>? shards = null;
        int fetched = 0;
        if (HubSelection.IndexOf(files.ContainsKey) is { } index)
        {
            // Its names are checked before it gets a place in the snapshot, where others would follow them.
            if (!cache.Has(commit, files[index]))
            {
                missing += Missing(files[index]);
                bool isNew = await download.Fetch(files[index], () => Tell(new HubEvent.Held(index)), _ => { }, Count, stop)
                    .ConfigureAwait(false);
                fetched += isNew ? 1 : 0;
                if (isNew)
                {
                    Tell(new HubEvent.Fetched(index, new Bytes(files[index].Size)));
                }
            }

            shards = HubSelection.Shards(cache.Has(commit, files[index]) ? cache.Place(commit, index) : cache.Blob(files[index]));
            if (shards.FirstOrDefault(s => !files.ContainsKey(s)) is { } absent)
            {
                throw new FailedException($"{index} of {name.Repository} names {absent}, which the repository does not hold");
            }
        }

        HubFile[] wanted = [.. HubSelection.Names(files.ContainsKey, shards).Select(n => files[n])];
        HubFile[] absentHere = [.. wanted.Where(f => !cache.Has(commit, f))];
        HubFile[] toFetch = [.. absentHere.Where(f => Missing(f) > 0)];
        long length = toFetch.DistinctBy(f => f.Hash).Sum(Missing);
        missing += length;
        DiskRoom.Require([new DiskNeed(settings.Cache, $"{toFetch.Length:N0} files of {name.Repository}", new Bytes(length))]);
        var all = new Bytes(wanted.Sum(f => f.Size));
        Tell(new HubEvent.Listed(commit, wanted.Length, all, new Bytes(length)));
        if (absentHere.Length > 0 && !File.Exists(cache.Tree(commit)))
        {
            HubCache.MakeFolderOf(cache.Tree(commit));
            await Alone(() => HubTree.Write(cache.Tree(commit), files.Values), stop).ConfigureAwait(false);
        }

        // The largest first: it is what the others can be fetched beside.
        var options = new ParallelOptions { MaxDegreeOfParallelism = settings.Streams, CancellationToken = stop };
        await Parallel.ForEachAsync(absentHere.OrderByDescending(f => f.Size), options, async (file, ended) =>
        {
            bool isNew = await download.Fetch(
                file, () => Tell(new HubEvent.Held(file.Path)), fresh => cache.Link(commit, file, fresh), Count, ended)
                .ConfigureAwait(false);
            if (isNew)
            {
                Interlocked.Increment(ref fetched);
                Tell(new HubEvent.Fetched(file.Path, new Bytes(file.Size)));
            }
        }).ConfigureAwait(false);
        if (name.Commit is null && cache.CommitOf() != commit)
        {
            await Alone(() => cache.Refer(commit), stop).ConfigureAwait(false);
        }

        return new HubSnapshot
        {
            Repository = name.Repository,
            Commit = commit,
            Folder = cache.Snapshot(commit),
            Files = wanted.Length,
            Length = all,
            FetchedFiles = fetched,
            Fetched = new Bytes(done),
        };
    }

    /// <summary>Writes what two programs at once would both write.</summary>
    private async Task Alone(Action write, CancellationToken stop)
    {
        HubCache.MakeFolderOf(cache.WritingLock);
        using var claim = await HubLock.Take(cache.WritingLock, settings.Clock, () => { }, stop).ConfigureAwait(false);
        write();
    }

    private long Missing(HubFile file) =>
        HubCache.LengthOf(cache.Blob(file)) == file.Size ? 0 : file.Size - PartialFile.AtHand(cache, file);

    private void Count(long bytes)
    {
        lock (gate)
        {
            done += bytes;
            Tell(new HubEvent.Progressed(new Bytes(done), new Bytes(missing)));
        }
    }

    private void Tell(HubEvent happened)
    {
        lock (gate)
        {
            listener?.Invoke(happened);
        }
    }
}
