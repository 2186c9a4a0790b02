using Dataflow.Model;

namespace Dataflow.Tests;

/// <summary>What lies in the cache: found there, shared with others, gone on with.</summary>
public sealed class HubCacheTests : IDisposable
{
    private const string Name = "hf:" + HubWorld.Id;
    private readonly HubWorld world = new();

    public void Dispose() => world.Dispose();

    private string Leftover(string ending, byte[] content)
    {
        string path = world.Blob(HubWorld.Weights) + ending;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
        return path;
    }

    private byte[] Weights => world.Files[HubWorld.Weights];

    [Fact]
    public void It_is_laid_out_as_the_hubs_own_library_lays_it_out()
    {
        var snapshot = world.Fetch();
        Assert.Equal(
            new HubSnapshot
            {
                Repository = HubWorld.Id,
                Commit = HubWorld.Commit,
                Folder = world.Snapshot,
                Files = 2,
                Length = new Bytes(1002),
                FetchedFiles = 2,
                Fetched = new Bytes(1002),
            },
            snapshot);
        Assert.Equal(["config.json", HubWorld.Weights], world.Links);
        Assert.Equal($"../../blobs/{HubWorld.Sha256(Weights)}", new FileInfo(Path.Combine(world.Snapshot, HubWorld.Weights)).LinkTarget);
        Assert.Equal(
            $"../../blobs/{HubWorld.GitId("{}"u8.ToArray())}", new FileInfo(Path.Combine(world.Snapshot, "config.json")).LinkTarget);
        Assert.Equal(HubWorld.Commit, File.ReadAllText(Path.Combine(world.Repository, "refs", "main")));
        string tree = File.ReadAllText(Path.Combine(world.Repository, "trees", HubWorld.Commit + ".json"));
        Assert.StartsWith("{\"format_version\":1,\"files\":{\"README.md\":{\"size\":10,\"blob_id\":\"", tree, StringComparison.Ordinal);
        Assert.Contains($"\"lfs_sha256\":\"{HubWorld.Sha256(Weights)}\",\"lfs_size\":1000", tree, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(
            world.Settings.Cache, ".locks", "models--someone--tiny", HubWorld.Sha256(Weights) + ".lock")));
        Assert.Equal(["Listed", "Fetched", "Fetched"], world.Events.Where(e => e is not HubEvent.Progressed).Select(e => e.GetType().Name));
        Assert.Equal(new HubEvent.Progressed(new Bytes(1002), new Bytes(1002)), world.Events.OfType<HubEvent.Progressed>().Last());
    }

    [Fact]
    public void Nothing_is_fetched_twice()
    {
        _ = world.Fetch();
        world.Hub.Forget();
        world.Storage.Forget();
        var again = world.Fetch();
        Assert.Equal((0, 0L), (again.FetchedFiles, again.Fetched.Value));
        Assert.EndsWith("/revision/main", Assert.Single(world.Hub.Requests).Target, StringComparison.Ordinal);
        Assert.Equal(world.Snapshot, world.Fetch(HubWorld.Commit).Folder);
        Assert.Single(world.Hub.Requests); // what a commit stands for never changes
        Assert.Empty(world.Storage.Requests);
    }

    [Fact]
    public void Another_revision_with_the_same_content_fetches_nothing_but_lists()
    {
        _ = world.Fetch();
        Directory.Delete(world.Snapshot, recursive: true);
        world.Storage.Forget();
        Assert.Equal(0, world.Fetch("other").FetchedFiles);
        world.IsWhole();
        Assert.Empty(world.Storage.Requests);
    }

    [Fact]
    public void A_blob_that_somebody_cut_is_fetched_again()
    {
        _ = world.Fetch();
        File.WriteAllBytes(world.Blob(HubWorld.Weights), new byte[10]);
        Assert.Contains("model.safetensors is missing", Assert.Throws<UserErrorException>(
            () => Hub.Find(Name, world.Settings)).Message, StringComparison.Ordinal);
        Assert.Equal(1, world.Fetch().FetchedFiles);
        world.IsWhole();
    }

    [Theory]
    [InlineData(".0a1b2c3d.incomplete")]
    [InlineData(".incomplete")]
    public void What_a_killed_program_left_is_gone_on_with(string ending)
    {
        string leftover = Leftover(ending, Weights[..600]);
        string shorter = Leftover(".ffffffff.incomplete", Weights[..10]);
        Assert.Equal(new Bytes(402), world.Fetch().Fetched);
        world.IsWhole();
        Assert.Equal(600, Assert.Single(world.Storage.Requests).From);
        Assert.False(File.Exists(leftover) || File.Exists(shorter));
        Assert.Equal(new Bytes(402), Assert.Single(world.Events.OfType<HubEvent.Listed>()).Missing);
    }

    [Theory]
    [InlineData(600)]
    [InlineData(1000)]
    [InlineData(1001)]
    public void A_leftover_with_other_bytes_does_no_harm(int length)
    {
        _ = Leftover(".0a1b2c3d.incomplete", new byte[length]);
        _ = world.Fetch();
        world.IsWhole();
        Assert.Equal(length == 600 ? [600, null] : [null], world.Storage.Requests.Select(r => r.From));
    }

    [Fact]
    public void A_leftover_that_is_whole_needs_no_request()
    {
        _ = Leftover(".0a1b2c3d.incomplete", Weights);
        _ = world.Fetch();
        world.IsWhole();
        Assert.Empty(world.Storage.Requests);
    }

    [Fact]
    public void Stopped_it_keeps_what_has_come_and_the_next_goes_on()
    {
        using var stop = new CancellationTokenSource();
        world.OnStorage = HubWorld.InTurn("", r => world.Stored(r) with
        {
            AfterByte = sent =>
            {
                if (sent == 500)
                {
                    stop.Cancel();
                }

                return Task.CompletedTask;
            },
        });
        Assert.ThrowsAny<OperationCanceledException>(() => world.Fetch(stop: stop.Token));
        world.Storage.Forget();
        _ = world.Fetch();
        world.IsWhole();
        Assert.InRange(Assert.Single(world.Storage.Requests).From ?? 0, 0, 500);
    }

    [Fact]
    public async Task Two_at_once_fetch_each_content_once()
    {
        world.Settings = world.Settings with { Clock = TimeProvider.System };
        using var both = new Barrier(2);
        var fetches = Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            both.SignalAndWait();
            return Hub.Fetch(HubWorld.Id, null, world.Settings);
        })).ToArray();
        var snapshots = await Task.WhenAll(fetches);
        world.IsWhole();
        Assert.Equal(2, world.Blobs.Length);
        Assert.Equal(2, snapshots.Sum(s => s.FetchedFiles));
        Assert.Single(world.Storage.Requests);
    }

    [Fact]
    public void Another_program_that_fetches_is_waited_for_and_a_lock_without_one_is_none()
    {
        string path = Path.Combine(world.Settings.Cache, ".locks", "models--someone--tiny", HubWorld.Sha256(Weights) + ".lock");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var other = new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        var snapshot = Hub.Fetch(HubWorld.Id, null, world.Settings, e =>
        {
            if (e is HubEvent.Held { File: HubWorld.Weights })
            {
                // It ends: with a blob, and with a file that locks nothing any more.
                Directory.CreateDirectory(Path.GetDirectoryName(world.Blob(HubWorld.Weights))!);
                File.WriteAllBytes(world.Blob(HubWorld.Weights), Weights);
                other.Dispose();
            }
        });
        world.IsWhole();
        Assert.Equal(1, snapshot.FetchedFiles);
        Assert.Empty(world.Storage.Requests);
    }

    [Fact]
    public void Offline_what_is_there_is_used_and_what_is_missing_is_named()
    {
        world.Files["tokenizer.json"] = "{}\n"u8.ToArray();
        var offline = world.Settings with { Offline = true };
        Assert.Contains("is not in the cache", Offline(), StringComparison.Ordinal);

        _ = world.Fetch();
        world.Hub.Forget();
        var whole = Hub.Fetch(HubWorld.Id, null, offline);
        Assert.Equal((world.Snapshot, 3), (whole.Folder, whole.Files));
        Assert.Contains("HF_HUB_OFFLINE", whole.Note, StringComparison.Ordinal);

        File.Delete(Path.Combine(world.Snapshot, "tokenizer.json"));
        Assert.Contains("tokenizer.json is missing", Offline(), StringComparison.Ordinal);
        File.Delete(Path.Combine(world.Snapshot, HubWorld.Weights));
        Assert.Contains("tokenizer.json and 1 more are missing", Offline(), StringComparison.Ordinal);
        Assert.Empty(world.Hub.Requests);

        string Offline() => Assert.Throws<UserErrorException>(() => Hub.Fetch(HubWorld.Id, null, offline)).Message;
    }

    [Fact]
    public void Where_the_hub_does_not_answer_what_is_there_is_used_and_it_says_so()
    {
        _ = world.Fetch();
        world.OnHub = _ => HubReply.Text(503, "");
        var snapshot = world.Fetch();
        Assert.Equal(world.Snapshot, snapshot.Folder);
        Assert.Matches(@"^the hub was not to be had \(.* answers 503\): what lies in the cache is used", snapshot.Note);
        File.Delete(Path.Combine(world.Snapshot, "config.json"));
        _ = world.Fails<FailedException>();
    }

    [Fact]
    public void What_the_hubs_own_library_fetched_is_found_without_a_listing()
    {
        _ = world.Fetch();
        Directory.Delete(Path.Combine(world.Repository, "trees"), recursive: true);
        Assert.Equal(2, Hub.Find(Name, world.Settings).Files);
        Assert.Equal(world.Snapshot, Hub.Find($"{Name}@{HubWorld.Commit}", world.Settings).Folder);
        File.Delete(world.Blob(HubWorld.Weights)); // a link that leads nowhere is no file
        Assert.Equal(
            $"{Name} is not complete in the cache {world.Settings.Cache}: model.safetensors is missing; "
                + $"`dataflow fetch {HubWorld.Id}` fetches it",
            Assert.Throws<UserErrorException>(() => Hub.Find(Name, world.Settings)).Message);
        Assert.Equal(
            $"{Name}@v2 is not in the cache {world.Settings.Cache}; `dataflow fetch {HubWorld.Id} --revision v2` fetches it",
            Assert.Throws<UserErrorException>(() => Hub.Find(Name + "@v2", world.Settings)).Message);
    }

    [Fact]
    public void Without_links_the_files_themselves_lie_in_the_snapshot()
    {
        world.Files["vocab.json"] = world.Files["config.json"];
        world.Settings = world.Settings with { Links = false };
        _ = world.Fetch();
        Assert.All(Directory.GetFiles(world.Snapshot), f => Assert.Null(new FileInfo(f).LinkTarget));
        Assert.Equal(["config.json", HubWorld.Weights, "vocab.json"], world.Links);
        Assert.Equal(Weights, File.ReadAllBytes(Path.Combine(world.Snapshot, HubWorld.Weights)));
        Assert.Equal(0, world.Fetch().FetchedFiles);
    }

    [Fact]
    public void Without_links_a_blob_that_others_use_is_copied()
    {
        _ = world.Fetch();
        Directory.Delete(world.Snapshot, recursive: true);
        world.Settings = world.Settings with { Links = false };
        _ = world.Fetch();
        Assert.Equal(Weights, File.ReadAllBytes(world.Blob(HubWorld.Weights)));
        Assert.Equal(["config.json", HubWorld.Weights], world.Links);
    }

    [Fact]
    public void A_model_that_the_disk_has_no_room_for_is_refused_before_any_of_it_comes()
    {
        world.OnTree = list => list.Single(f => (string?)f!["path"] == HubWorld.Weights)!["lfs"]!["size"] = 1L << 60;
        string failure = world.Fails<UserErrorException>().Message;
        Assert.Contains("its disk would be full", failure, StringComparison.Ordinal);
        Assert.Contains($"{new Bytes((1L << 60) + 2).ToString()}", failure, StringComparison.Ordinal);
        Assert.Equal(2, world.Hub.Requests.Count);
        Assert.Empty(world.Blobs);
    }

    [Fact]
    public void A_cache_that_cannot_be_written_to_is_named()
    {
        File.WriteAllText(world.Settings.Cache, "a file in the way");
        Assert.Contains(world.Settings.Cache, world.Fails<UserErrorException>().Message, StringComparison.Ordinal);
    }
}
