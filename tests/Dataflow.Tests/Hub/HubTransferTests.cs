using System.IO.Compression;
using System.Text;

namespace Dataflow.Tests;

/// <summary>Files on their way, over connections that fail in every way.</summary>
public sealed class HubTransferTests : IDisposable
{
    private readonly HubWorld world = new();

    public void Dispose() => world.Dispose();

    private static Func<HubRequest, HubReply?> Turns(params Func<HubRequest, HubReply?>[] replies) => HubWorld.InTurn("", replies);

    private int?[] Ranges => [.. world.Storage.Requests.Select(r => r.From)];

    private byte[] Weights => world.Files[HubWorld.Weights];

    /// <summary>Of the weights; another file that came beside them may have been broken off.</summary>
    private void LeavesNothing() => Assert.DoesNotContain(
        world.Blobs, b => b.StartsWith(world.HashOf(HubWorld.Weights), StringComparison.Ordinal));

    [Theory]
    [InlineData(0, null)]
    [InlineData(1, 1)]
    [InlineData(500, 500)]
    [InlineData(999, 999)]
    public void A_cut_connection_is_gone_on_with_from_the_byte_where_it_was_cut(int after, int? from)
    {
        world.OnStorage = Turns(r => world.Stored(r) with { CutAfter = after });
        _ = world.Fetch();
        world.IsWhole();
        Assert.Equal([null, from], Ranges);
        Assert.Equal([1.0], world.Clock.Waits);
    }

    [Theory]
    [InlineData((int)Framing.Chunked)]
    [InlineData((int)Framing.Close)]
    public void A_body_that_ends_well_and_too_early_is_noticed_by_its_length(int framing)
    {
        world.OnStorage = Turns(r => new HubReply(200, Weights[..300]) { Framing = (Framing)framing });
        _ = world.Fetch();
        world.IsWhole();
        Assert.Equal([null, 300], Ranges);
    }

    [Fact]
    public void Where_a_range_is_answered_with_all_of_the_file_it_begins_anew()
    {
        world.OnStorage = Turns(r => world.Stored(r) with { CutAfter = 400 }, _ => new HubReply(200, Weights));
        _ = world.Fetch();
        world.IsWhole();
        Assert.Equal([null, 400], Ranges);
    }

    [Fact]
    public void A_server_that_always_begins_anew_and_never_ends_is_given_up()
    {
        world.OnStorage = r => new HubReply(200, Weights) { CutAfter = 400 };
        Assert.Contains("after 5 more tries", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        Assert.Equal([null, 400, 400, 400, 400, 400], Ranges); // none came further than the first
    }

    [Theory]
    [InlineData("bytes 399-999/1000")]
    [InlineData("bytes 0-999/1000")]
    [InlineData("bytes 400-1000/1001")]
    public void Another_part_than_was_asked_for_is_refused(string range)
    {
        world.OnStorage = Turns(
            r => world.Stored(r) with { CutAfter = 400 },
            _ => new HubReply(206, Weights[400..], ("Content-Range", range)));
        Assert.Contains("answers with another part", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        Assert.DoesNotContain(HubWorld.Weights, world.Links);
    }

    [Fact]
    public void A_refused_range_of_a_file_of_the_right_length_begins_it_anew()
    {
        world.OnStorage = Turns(
            r => world.Stored(r) with { CutAfter = 400 },
            _ => new HubReply(416, [], ("Content-Range", "bytes */1000")));
        _ = world.Fetch();
        world.IsWhole();
        Assert.Equal([null, 400, null], Ranges);
    }

    [Fact]
    public void A_refused_range_of_a_file_of_another_length_fails_and_leaves_nothing()
    {
        world.OnStorage = Turns(
            r => world.Stored(r) with { CutAfter = 400 },
            _ => new HubReply(416, [], ("Content-Range", "bytes */400")));
        Assert.Contains("it has 400 bytes now, not 1,000", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        LeavesNothing();
    }

    [Fact]
    public void Parts_of_two_contents_are_not_put_together()
    {
        world.OnStorage = Turns(
            r => new HubReply(200, HubWorld.Bytes(1000, 7), ("ETag", "\"before\"")) { CutAfter = 400 },
            r => HubReply.Content(r, Weights, ("ETag", "\"after\"")));
        _ = world.Fetch();
        world.IsWhole();
        Assert.Equal([null, 400, null], Ranges);
    }

    [Theory]
    [InlineData("X-Linked-Etag", "\"0000000000000000000000000000000000000000000000000000000000000000\"")]
    [InlineData("X-Linked-Size", "1001")]
    [InlineData("X-Repo-Commit", "0000000000000000000000000000000000000000")]
    public void A_hub_that_names_something_else_than_it_listed_fails(string header, string value)
    {
        world.OnStorage = Turns(r => world.Stored(r) with { CutAfter = 400 });
        world.OnHub = HubWorld.InTurn(HubWorld.Weights, _ => null, r =>
        {
            var right = world.Answer(r);
            return right with { Headers = [.. right.Headers.Where(h => h.Name != header), (header, value)] };
        });
        Assert.Contains("is not what the hub listed", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        LeavesNothing();
    }

    [Theory]
    [InlineData(HubWorld.Weights, "")]
    [InlineData("config.json", "/config.json")]
    public void The_right_length_with_wrong_bytes_fails_and_leaves_neither_blob_nor_link(string file, string path)
    {
        byte[] wrong = new byte[world.Files[file].Length];
        world.OnStorage = r => path.Length == 0 ? new HubReply(200, wrong) : null;
        world.OnHub = r => path.Length > 0 && r.Path.Contains("resolve-cache", StringComparison.Ordinal)
            ? new HubReply(200, wrong, ("X-Repo-Commit", HubWorld.Commit)) : null;
        Assert.Contains("came with other content", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        Assert.DoesNotContain(world.Blobs, b => b.StartsWith(world.HashOf(file), StringComparison.Ordinal));
        Assert.DoesNotContain(file, world.Links);
        Assert.Throws<Model.UserErrorException>(() => Dataflow.Hub.Find("hf:" + HubWorld.Id, world.Settings));
    }

    [Fact]
    public void More_than_was_listed_fails()
    {
        world.OnStorage = _ => new HubReply(200, HubWorld.Bytes(1001, 1));
        Assert.Contains("more than its 1,000 bytes come", world.Fails<FailedException>().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_signed_address_that_has_expired_is_asked_for_again()
    {
        world.OnStorage = Turns(r => world.Stored(r) with { CutAfter = 400 }, _ => HubReply.Text(403, "expired"));
        _ = world.Fetch();
        world.IsWhole();
        Assert.Equal([null, 400, 400], Ranges);
        Assert.Equal(3, world.Hub.Requests.Count(r => r.Path.EndsWith(HubWorld.Weights, StringComparison.Ordinal)));
    }

    [Fact]
    public void As_long_as_bytes_come_however_slowly_it_goes_on()
    {
        world.Files[HubWorld.Weights] = HubWorld.Bytes(20, 3);
        using var came = new SemaphoreSlim(0);
        world.OnStorage = r => world.Stored(r) with
        {
            AfterByte = async _ =>
            {
                await came.WaitAsync(); // the client has it
                world.Clock.Advance(TestClock.Silence * 0.9);
            },
        };
        world.Settings = world.Settings with { Streams = 1 };
        _ = Dataflow.Hub.Fetch(HubWorld.Id, null, world.Settings, e =>
        {
            if (e is HubEvent.Progressed && world.Storage.Requests.Count > 0)
            {
                came.Release();
            }
        });
        world.IsWhole();
        Assert.Single(Ranges);
    }

    [Fact]
    public void Silence_ends_a_request_and_the_next_goes_on()
    {
        var over = new TaskCompletionSource();
        world.OnStorage = Turns(r => world.Stored(r) with
        {
            CutAfter = 1,
            AfterByte = _ =>
            {
                world.Clock.Advance(TestClock.Silence);
                return over.Task;
            },
        });
        world.Settings = world.Settings with { Streams = 1 };
        _ = world.Fetch();
        over.SetResult();
        world.IsWhole();
        Assert.Equal(2, Ranges.Length);
        Assert.Contains("nothing came for 3600 s", Assert.Single(world.Events.OfType<HubEvent.Retrying>()).Why, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData((int)Framing.Length)]
    [InlineData((int)Framing.Chunked)]
    public void A_compressed_body_that_nobody_asked_for_is_expanded(int framing)
    {
        world.Files["config.json"] = Encoding.UTF8.GetBytes(new string('x', 100_000));
        world.OnHub = HubWorld.InTurn("/config.json", _ => null, _ => Zipped() with { CutAfter = 50 }, _ => null, _ => Zipped());
        _ = world.Fetch();
        Assert.Equal(world.Files["config.json"], File.ReadAllBytes(Path.Combine(world.Snapshot, "config.json")));
        Assert.All(world.Hub.Requests, r => Assert.Equal("identity", r.Headers["Accept-Encoding"]));

        HubReply Zipped()
        {
            using var zipped = new MemoryStream();
            using (var zip = new GZipStream(zipped, CompressionLevel.Fastest))
            {
                zip.Write(world.Files["config.json"]);
            }

            return new HubReply(200, zipped.ToArray(), ("Content-Encoding", "gzip"), ("X-Repo-Commit", HubWorld.Commit))
            {
                Framing = (Framing)framing,
            };
        }
    }

    [Fact]
    public void A_compressed_part_is_no_part()
    {
        world.OnStorage = Turns(
            r => world.Stored(r) with { CutAfter = 400 },
            r => HubReply.Content(r, Weights, ("Content-Encoding", "gzip")));
        _ = world.Fetch();
        world.IsWhole();
        Assert.Equal([null, 400, null], Ranges);
    }

    [Fact]
    public void An_empty_file_has_its_hash_and_needs_no_range()
    {
        world.Files["merges.txt"] = [];
        Assert.Equal("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", world.HashOf("merges.txt"));
        _ = world.Fetch();
        Assert.Empty(File.ReadAllBytes(Path.Combine(world.Snapshot, "merges.txt")));
        Assert.DoesNotContain(world.Hub.Requests, r => r.From is not null);
    }
}
