using Dataflow.Model;

namespace Dataflow.Tests;

/// <summary>A model of the hub is named wherever a model is, and opens from the cache.</summary>
public sealed class HubModelTests : IDisposable
{
    private const string Name = "hf:" + HubWorld.Id;
    private const string CacheVariable = "HF_HUB_CACHE";
    private readonly HubWorld world = new();
    private readonly string? before = Environment.GetEnvironmentVariable(CacheVariable);

    public HubModelTests()
    {
        // Nothing else in this program reads it.
        Environment.SetEnvironmentVariable(CacheVariable, world.Settings.Cache);
        string golden = Path.Combine(Locations.Root!, "tests", "golden", "llama-small");
        foreach (string file in new[] { "config.json", HubWorld.Weights })
        {
            world.Files[file] = File.ReadAllBytes(Path.Combine(golden, file));
        }

        world.Files["tokenizer.json"] = "{}"u8.ToArray();
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(CacheVariable, before);
        world.Dispose();
    }

    [Fact]
    public void A_snapshot_opens_as_a_models_folder_through_its_links()
    {
        _ = world.Fetch();
        Assert.NotNull(new FileInfo(Path.Combine(world.Snapshot, HubWorld.Weights)).LinkTarget);
        Assert.Equal(world.Snapshot, ModelSource.Locate(Name));
        using var source = ModelSource.Open(Name);
        using var golden = ModelSource.Open(Path.Combine(Locations.Root!, "tests", "golden", "llama-small"));
        Assert.Equal(golden.Model with { Name = "tiny" }, source.Model);
        Assert.Equal(Path.Combine(world.Snapshot, "tokenizer.json"), source.Tokenizer);
        Assert.NotNull(source.Weights(0));

        // A run remembers the commit: the branch may move.
        Assert.Equal($"{Name}@{HubWorld.Commit}", ModelSource.SettingOf(Name));
        using var pinned = ModelSource.Open($"{Name}@{HubWorld.Commit}");
        Assert.Equal(source.Folder, pinned.Folder);
        Assert.Equal("tiny", ModelSource.NameOf($"{Name}@{HubWorld.Commit}"));
    }

    [Fact]
    public void It_trains_and_its_checkpoint_goes_on_without_the_model_being_named()
    {
        world.Files.Remove("tokenizer.json"); // its tokens are bytes
        _ = world.Fetch();
        using var tiny = new TinyRun();
        var options = tiny.Options(1, "run");
        using (var run = TrainingRun.Prepare(options with { Plan = options.Plan with { Model = Name, GlobalBatch = 64 } }))
        {
            Assert.Single(run.Steps(TestContext.Current.CancellationToken));
        }

        Assert.Equal($"{Name}@{HubWorld.Commit}", SavedRun.Find(tiny.PathOf("run")).Settings["model"]);
        using var more = TrainingRun.Resume(tiny.PathOf("run"), o => o with { Steps = 2 });
        Assert.Single(more.Steps(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void What_was_not_fetched_says_the_command_that_fetches_it()
    {
        Assert.Null(ModelSource.Locate(Name));
        Assert.Equal(Name, ModelSource.SettingOf(Name));
        Assert.Equal(
            $"{Name}@v2 is not in the cache {world.Settings.Cache}; `dataflow fetch {HubWorld.Id} --revision v2` fetches it",
            Assert.Throws<UserErrorException>(() => ModelSource.Open(Name + "@v2")).Message);
        Assert.Throws<UserErrorException>(() => ModelSource.Open("hf:../tiny"));

        _ = world.Fetch();
        File.Delete(Path.Combine(world.Snapshot, "tokenizer.json"));
        Assert.Contains(
            $"is not complete in the cache {world.Settings.Cache}: tokenizer.json is missing; `dataflow fetch {HubWorld.Id}` fetches it",
            Assert.Throws<UserErrorException>(() => ModelSource.Open(Name)).Message, StringComparison.Ordinal);
    }
}
