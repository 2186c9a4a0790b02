using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Tests;

/// <summary>Which files are taken, and which names are no names of files.</summary>
public sealed class HubSelectionTests : IDisposable
{
    private readonly HubWorld world = new();

    public void Dispose() => world.Dispose();

    /// <summary>Weights in two files, and others that the index does not name.</summary>
    private void Shard(params string[] named)
    {
        world.Files.Remove(HubWorld.Weights);
        foreach (string file in new[] { "model-1.safetensors", "model-2.safetensors", "model.fp16.safetensors" })
        {
            world.Files[file] = HubWorld.Bytes(100 + file.Length, file.Sum(c => c));
            world.Large.Add(file);
        }

        var map = new JsonObject();
        foreach (string name in named)
        {
            map[$"weight.{map.Count}"] = name;
        }

        world.Files[HubWorld.Index] = Encoding.UTF8.GetBytes(new JsonObject { ["weight_map"] = map }.ToJsonString());
    }

    [Fact]
    public void Of_an_index_exactly_its_files_are_taken()
    {
        Shard("model-2.safetensors", "model-1.safetensors", "model-1.safetensors");
        world.Files["onnx/model.onnx"] = world.Files["modeling.py"] = world.Files["tokenizer.json"] = "{ }"u8.ToArray();
        Assert.Equal(5, world.Fetch().Files);
        Assert.Equal(5, world.Events.OfType<HubEvent.Fetched>().Count());
        Assert.Equal(["config.json", "model-1.safetensors", "model-2.safetensors", HubWorld.Index, "tokenizer.json"], world.Links);
        Assert.Equal(5, Hub.Find("hf:" + HubWorld.Id, world.Settings).Files);
        File.Delete(Path.Combine(world.Snapshot, "model-2.safetensors"));
        Assert.Contains("model-2.safetensors is missing", Assert.Throws<UserErrorException>(
            () => Hub.Find("hf:" + HubWorld.Id, world.Settings)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Eight_files_come_at_once()
    {
        string[] shards = [.. Enumerable.Range(1, 12).Select(n => $"part-{n}.safetensors")];
        Shard(shards);
        foreach (string shard in shards)
        {
            world.Files[shard] = HubWorld.Bytes(100, int.Parse(shard.Split('-', '.')[1], CultureInfo.InvariantCulture));
            world.Large.Add(shard);
        }

        using var eight = new CountdownEvent(8);
        int coming = 0, most = 0;
        world.OnStorage = r => world.Stored(r) with
        {
            AfterByte = sent =>
            {
                if (sent == 1)
                {
                    int now = Interlocked.Increment(ref coming);
                    InterlockedMax(ref most, now);
                    if (now <= 8 && !eight.IsSet)
                    {
                        eight.Signal();
                        eight.Wait(); // for ever, were it fewer
                    }
                }
                else if (sent == 100)
                {
                    Interlocked.Decrement(ref coming);
                }

                return Task.CompletedTask;
            },
        };
        _ = world.Fetch();
        Assert.Equal(8, most);

        static void InterlockedMax(ref int most, int now)
        {
            for (int before = most; now > before; before = most)
            {
                Interlocked.CompareExchange(ref most, now, before);
            }
        }
    }

    [Fact]
    public void Where_both_forms_are_there_the_one_file_wins()
    {
        byte[] single = world.Files[HubWorld.Weights];
        Shard("model-1.safetensors");
        world.Files[HubWorld.Weights] = single;
        _ = world.Fetch();
        Assert.Equal(["config.json", HubWorld.Weights], world.Links);
    }

    [Fact]
    public void Files_of_one_content_are_one_blob()
    {
        Shard("model-1.safetensors", "model-2.safetensors");
        world.Files["model-2.safetensors"] = world.Files["model-1.safetensors"];
        Assert.Equal(4, world.Fetch().Files);
        Assert.Equal(world.Files["model-1.safetensors"], File.ReadAllBytes(Path.Combine(world.Snapshot, "model-2.safetensors")));
        Assert.Single(world.Storage.Requests);
    }

    [Fact]
    public void What_holds_no_model_is_refused()
    {
        world.Files.Remove(HubWorld.Weights);
        world.Files["pytorch_model.bin"] = [1];
        Assert.Contains("holds no model.safetensors: weights in other formats are not read (it has pytorch_model.bin)",
            world.Fails<UserErrorException>().Message, StringComparison.Ordinal);
        world.Files.Remove("config.json");
        Assert.Contains("holds no config.json", world.Fails<UserErrorException>().Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(world.Settings.Cache));
    }

    [Theory]
    [InlineData("../out")]
    [InlineData("a/../../out")]
    [InlineData("a/..\\..\\out")]
    [InlineData("/out")]
    [InlineData("C:\\out")]
    [InlineData("C:out")]
    [InlineData("\\\\host\\share")]
    [InlineData("a//b")]
    [InlineData("./a")]
    [InlineData("a\u0000b")]
    [InlineData("")]
    public void A_listed_name_that_leads_elsewhere_is_refused_before_the_disk_is_touched(string name)
    {
        world.OnTree = list => list.Add(new JsonObject { ["type"] = "file", ["path"] = name, ["size"] = 0, ["oid"] = HubWorld.GitId([]) });
        Assert.Contains("no path inside a repository", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(world.Settings.Cache));
    }

    [Theory]
    [InlineData("../config.json")]
    [InlineData("C:\\model.safetensors")]
    [InlineData("\\\\host\\share")]
    [InlineData("a\\b.safetensors")]
    [InlineData("con.safetensors")]
    [InlineData("lpt1")]
    [InlineData("model.safetensors.")]
    public void A_name_of_an_index_that_leads_elsewhere_is_refused(string name)
    {
        Shard("model-1.safetensors", name);
        Assert.Contains("no path inside a repository", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        Assert.Equal([world.HashOf(HubWorld.Index)], world.Blobs);
        Assert.Empty(world.Links);
    }

    [Theory]
    [InlineData("{}", "is no index of weights")]
    [InlineData("[", "is no index of weights")]
    [InlineData("""{"weight_map":{}}""", "names no files")]
    [InlineData("""{"weight_map":{"a":"x.safetensors","b":"X.safetensors"}}""", "differ in capitals only")]
    [InlineData("""{"weight_map":{"a":"absent.safetensors"}}""", "names absent.safetensors, which the repository does not hold")]
    public void An_index_that_is_none_is_refused(string text, string said)
    {
        Shard();
        world.Files[HubWorld.Index] = Encoding.UTF8.GetBytes(text);
        Assert.Contains(said, world.Fails<FailedException>().Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("size", "-1")]
    [InlineData("oid", "\"../../../out\"")]
    [InlineData("oid", "\"0123\"")]
    [InlineData("lfs", """{"oid":"../out","size":3}""")]
    public void A_listed_size_or_hash_that_cannot_be_is_refused(string key, string value)
    {
        world.OnTree = list => list[1]![key] = JsonNode.Parse(value);
        Assert.Contains("a size or a hash that cannot be", world.Fails<FailedException>().Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(world.Settings.Cache));
    }

    [Theory]
    [InlineData("a/b/c")]
    [InlineData("a--b/c")]
    [InlineData("../c")]
    [InlineData("a/c.git")]
    [InlineData("a/.c")]
    [InlineData("a/c-")]
    [InlineData("a/c d")]
    [InlineData("")]
    [InlineData("https://huggingface.co/a/b")]
    public void What_is_no_name_on_the_hub_is_refused(string name) => Assert.Contains(
        "is no name of a model on the hub",
        Assert.Throws<UserErrorException>(() => Hub.Fetch(name, null, world.Settings)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("../main")]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("/a")]
    public void What_is_no_revision_is_refused(string revision) => Assert.Contains(
        "is no revision",
        Assert.Throws<UserErrorException>(() => world.Fetch(revision)).Message, StringComparison.Ordinal);
}
