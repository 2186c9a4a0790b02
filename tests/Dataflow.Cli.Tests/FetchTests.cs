using System.CommandLine;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Tests;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow fetch, from a hub of the test's own.</summary>
public sealed class FetchTests : IDisposable
{
    private static readonly string s_program = Path.Combine(Programs.Root, "bin", "dataflow");
    private readonly HubWorld world = new();

    public void Dispose() => world.Dispose();

    private Outcome Fetch(params string[] arguments) => InProcess.Run(
        all =>
        {
            var root = new RootCommand("with settings of the test") { FetchVerb.Command(() => world.Settings) };
            return new Invocation("dataflow", root, new Dictionary<Command, string[]>()).Run(all);
        },
        ["fetch", .. arguments]);

    [Fact]
    public void It_prints_a_line_a_file_and_what_became_of_it()
    {
        string[] lines = Programs.Good(Fetch(HubWorld.Id)).TrimEnd('\n').Split('\n');
        Assert.Equal(["config.json: 2 bytes", "model.safetensors: 1000 bytes"], lines[..^1].Order());
        Assert.Equal(
            $"someone/tiny is there: 2 files, 1002 bytes, of which 1002 bytes were fetched, commit {HubWorld.Commit}, in {world.Snapshot}",
            lines[^1].Replace("1,0", "10", StringComparison.Ordinal));

        Assert.Equal(
            $"all 2 files of someone/tiny ({new Bytes(1002)}) are there already, commit {HubWorld.Commit}, in {world.Snapshot}\n",
            Programs.Good(Fetch("hf:" + HubWorld.Id)));
    }

    [Fact]
    public void As_json_it_is_one_object()
    {
        var json = JsonDocument.Parse(Programs.Good(Fetch(HubWorld.Id, "--json", "--revision", "v1"))).RootElement;
        Assert.Equal(
            ["repository", "commit", "folder", "files", "bytes", "fetched_files", "fetched_bytes", "note"],
            json.EnumerateObject().Select(p => p.Name));
        Assert.Equal(world.Snapshot, json.GetProperty("folder").GetString());
        Assert.Equal(1002, json.GetProperty("fetched_bytes").GetInt64());
        Assert.Equal(JsonValueKind.Null, json.GetProperty("note").ValueKind);
        Assert.Equal(HubWorld.Commit, File.ReadAllText(Path.Combine(world.Repository, "refs", "v1")));
    }

    [Fact]
    public void A_revision_is_given_once()
    {
        _ = Programs.Good(Fetch($"hf:{HubWorld.Id}@v1"));
        Assert.EndsWith("/revision/v1", world.Hub.Requests[0].Path, StringComparison.Ordinal);
        Assert.Contains("give one of them", Programs.Refused(2, Fetch($"{HubWorld.Id}@v1", "--revision", "v2")), StringComparison.Ordinal);
        Assert.Contains("<owner/name> is missing", Programs.Refused(2, Fetch()), StringComparison.Ordinal);
        Assert.Contains("no name of a model", Programs.Refused(2, Fetch("a/b/c")), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_the_users_to_mend_is_2_and_what_is_not_is_1()
    {
        world.OnHub = _ => HubReply.Text(401, "", ("X-Error-Code", "GatedRepo"));
        Assert.Contains("is gated", Programs.Refused(2, Fetch(HubWorld.Id)), StringComparison.Ordinal);
        world.OnHub = _ => HubReply.Text(503, "");
        var down = Fetch(HubWorld.Id);
        Assert.Equal((1, ""), (down.Status, down.Output));
        string[] said = down.Errors.TrimEnd('\n').Split('\n');
        Assert.Equal(6, said.Length);
        Assert.All(said[..5], line => Assert.Contains("answers 503; again in ", line, StringComparison.Ordinal));
        Assert.StartsWith("error: the list of files of someone/tiny could not be fetched: ", said[5], StringComparison.Ordinal);
    }

    [Fact]
    public void How_far_it_is_is_said_with_what_is_left()
    {
        Assert.Equal("a/b: 0 bytes of 2.000 GiB", FetchReport.Progress("a/b", Bytes.Zero, new Bytes(2L << 30), TimeSpan.FromSeconds(9)));
        Assert.Equal(
            "a/b: 0.500 GiB of 2.000 GiB", FetchReport.Progress("a/b", new Bytes(1L << 29), new Bytes(2L << 30), TimeSpan.FromSeconds(1)));
        Assert.Equal(
            "a/b: 0.500 GiB of 2.000 GiB, about 30 s left",
            FetchReport.Progress("a/b", new Bytes(1L << 29), new Bytes(2L << 30), TimeSpan.FromSeconds(10)));
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("KILL", 137)]
    public void However_it_is_ended_the_next_goes_on(string signal, int status)
    {
        using var scratch = new ScratchFolder();
        world.OnStorage = HubWorld.InTurn("", r => world.Stored(r) with
        {
            AfterByte = async sent =>
            {
                if (sent == 500)
                {
                    // All of it is on the disk before the signal.
                    string hash = world.HashOf(HubWorld.Weights);
                    while (world.Blobs.FirstOrDefault(b => b.StartsWith(hash, StringComparison.Ordinal)) is not { } partial
                        || new FileInfo(Path.Combine(world.Repository, "blobs", partial)).Length < 500)
                    {
                        await Task.Delay(5);
                    }

                    using var kill = System.Diagnostics.Process.Start("kill", [$"-{signal}", File.ReadAllText(scratch.File("pid")).Trim()]);
                    await Task.Delay(Timeout.Infinite);
                }
            },
        });
        var ended = Programs.Run(
            "env",
            ["--default-signal=INT,TERM", "sh", "-c", $"echo $$ > {scratch.File("pid")}; exec {s_program} fetch {HubWorld.Id}"],
            environment: Variables());
        Assert.Equal(status, ended.Status);
        Assert.Equal(
            signal == "KILL" ? "" : "stopped; what was fetched of someone/tiny is kept, and the same command goes on\n", ended.Errors);

        world.Storage.Forget();
        _ = Programs.Good(Process(["fetch", HubWorld.Id], Variables()));
        world.IsWhole();
        Assert.Equal(500, Assert.Single(world.Storage.Requests).From);
    }

    [Fact]
    public void A_proxy_is_used_where_the_environment_names_one()
    {
        var variables = Variables();
        (variables["HF_ENDPOINT"], variables["http_proxy"], variables["no_proxy"]) = ("http://hub.invalid", world.Hub.Url, "127.0.0.1");
        _ = Programs.Good(Process(["fetch", HubWorld.Id], variables));
        Assert.All(world.Hub.Requests, r => Assert.StartsWith("http://hub.invalid/", r.Target, StringComparison.Ordinal));
        Assert.NotEmpty(world.Storage.Requests);
    }

    [Fact]
    public void A_model_of_the_hub_is_planned_by_its_name()
    {
        world.Files["config.json"] = File.ReadAllBytes(Path.Combine(Programs.Root, "tests", "golden", "llama-small", "config.json"));
        string[] plan = ["plan", "hf:" + HubWorld.Id, "--seqlen", "64", "--device-memory", "2MiB", "--host-memory", "16MiB", "--json"];
        Assert.Contains("is not in the cache", Programs.Refused(2, Process(plan, Variables())), StringComparison.Ordinal);
        _ = Programs.Good(Fetch(HubWorld.Id));
        Assert.Contains("\"tiny\"", Programs.Good(Process(plan, Variables())), StringComparison.Ordinal);
    }

    private static Outcome Process(string[] arguments, Dictionary<string, string?> variables) =>
        Programs.Run(s_program, arguments, environment: variables);

    private Dictionary<string, string?> Variables() => new()
    {
        ["HF_HUB_CACHE"] = world.Settings.Cache,
        ["HF_ENDPOINT"] = world.Settings.Endpoint,
        ["HF_TOKEN"] = HubWorld.Token,
        ["HF_HUB_DOWNLOAD_TIMEOUT"] = "3600",
        ["HF_HUB_OFFLINE"] = null,
        ["http_proxy"] = null,
        ["HTTP_PROXY"] = null,
        ["all_proxy"] = null,
        ["ALL_PROXY"] = null,
    };
}
