using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>--attention: what it is refused for, where else it can be asked for, and runs that go on with what they began with.</summary>
[Trait("Slow", "true")]
public sealed class AttentionTests : IDisposable
{
    private const string Machine = "--hardware h200 --device-memory 40 --host-memory 100 --dtype bf16";
    private const string Step = "--policy simple --global-batch 16k";
    private const string Run =
        "--data README.md --seqlen 64 --global-batch 128 --chunk 64 --dtype bf16 --lr 3e-3 --host-memory 128MiB --device-memory 400MiB "
            + "--device cuda-emulated";

    private readonly ScratchFolder scratch = new();

    [Theory]
    [InlineData("plan 1b --seqlen 4096 --dtype fp32", "cuDNN's attention takes bf16, and this is fp32")]
    [InlineData("plan nano --seqlen 64 --dtype bf16", "takes heads of 64 to 256 elements in steps of 8, and these have 32")]
    [InlineData("plan 1b --seqlen 4096 --chunk 3000 --dtype bf16", "neither fill chunks of 3000 nor are filled by them (change --chunk)")]
    [InlineData("gradients tests/golden/llama-documents --seqlen 128 --dtype bf16 --out OUT", "rows of this data hold several: leave")]
    public void What_cuDNN_computes_nothing_of_is_refused_with_the_reason(string command, string reason)
    {
        command = command.Replace("OUT", scratch.File("gradients"), StringComparison.Ordinal);
        string told = Programs.Refused(
            2, Programs.Dataflow($"{command} --hardware h200 --device-memory 2 --host-memory 2 --attention cudnn"));
        Assert.Contains("--attention cudnn", told, StringComparison.Ordinal);
        Assert.Contains(reason, told, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_else_computes_attention_is_asked_no_such_thing()
    {
        string Refused(string command) => Programs.Refused(2, Programs.Dataflow(command));
        Assert.Contains("choose own or cudnn", Refused($"plan 1b --seqlen 64 {Machine} --attention flash"), StringComparison.Ordinal);
        Assert.Contains(
            "name a GPU with --hardware",
            Refused("plan 1b --seqlen 64 --hardware cpu --dtype bf16 --device cpu --attention cudnn"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "decides the geometry, its attention and what is saved by itself",
            Refused($"simulate 8b --seqlen 8192 {Machine} --policy reference --attention own"),
            StringComparison.Ordinal
        );
    }

    /// <summary>What cuDNN is not for in a model that it is for otherwise.</summary>
    [Fact]
    public void A_plan_says_what_our_own_kernels_go_on_computing()
    {
        string told = Programs.Good(Programs.Dataflow($"plan gemma-2-2b --seqlen 8192 --chunk 2048 {Machine} {Step} --attention cudnn"));
        Assert.Contains("attention by cuDNN 9.28.1 on sm90; by our own kernels the ", told, StringComparison.Ordinal);
        Assert.Contains("forward in layers of window 4096 (a window of 4096 keys reaches into", told, StringComparison.Ordinal);
        told = Programs.Good(Programs.Dataflow($"plan 8b --seqlen 8192 --chunk 8192 {Machine} {Step} --attention cudnn"));
        Assert.Contains("attention by cuDNN 9.28.1 on sm90\n", told, StringComparison.Ordinal);
    }

    /// <summary>plan, simulate, a batch of it, a sweep and a frontier: one plan for each provider.</summary>
    [Theory]
    [InlineData("own")]
    [InlineData("cudnn")]
    public void Every_verb_that_plans_makes_the_same_plan_with_it(string provider)
    {
        string by = provider == "own" ? "own" : "cudnn 9.28.1 sm90";
        var simulated = Json($"simulate 1b --seqlen 4096 {Machine} {Step} --attention {provider} --json");
        string hash = simulated.GetProperty("plan_hash").GetString()!;
        Assert.Equal(by, simulated.GetProperty("attention").GetString());
        var planned = Json($"plan 1b --seqlen 4096 {Machine} {Step} --attention {provider} --json");
        Assert.Equal((hash, by), (planned.GetProperty("plan_hash").GetString(), planned.GetProperty("attention").GetString()));
        File.WriteAllText(
            scratch.File("requests.jsonl"),
            """{"model": "1b", "seqlen": 4096, "device_memory": 40, "host_memory": 100, "hardware": "h200", "policy": "simple", """
                + $"\"global_batch\": 16384, \"dtype\": \"bf16\", \"attention\": \"{provider}\"}}\n"
        );
        Assert.Equal(hash, Json($"simulate --batch {scratch.File("requests.jsonl")}").GetProperty("plan_hash").GetString());
        File.WriteAllText(
            scratch.File("sweep.json"),
            """{"experiments": {"one": {"machines": {"H200": "h200"}, "models": ["1b"], "policy": "simple", "step_tokens": 16384, """
                + """ "grids": [{"seqlens": [4096], "host_gib": [100], "device_gib": [40]}], "dtype": "bf16", """
                + $"\"attention\": \"{provider}\"}}}}}}"
        );
        string rows = scratch.File("rows.csv");
        Programs.Good(Programs.Dataflow($"sweep {scratch.File("sweep.json")} one --out {rows}"));
        Assert.Contains(hash, File.ReadAllText(rows), StringComparison.Ordinal);
        var frontier = Json($"frontier 1b --seqlen 4096 --hardware h200 --dtype bf16 --attention {provider} --json");
        Assert.Equal(
            by, frontier.GetProperty("frontier")[0].GetProperty("least_device").GetProperty("attention").GetString());
    }

    [Fact]
    public void A_run_goes_on_with_the_attention_that_it_began_with()
    {
        string nano = File.ReadAllText(Path.Combine(Programs.Root, "models", "nano.json")), model = scratch.File("wide.json");
        File.WriteAllText(model, nano.Replace("\"head_dim\": 32", "\"head_dim\": 64", StringComparison.Ordinal));
        var straight = Events($"train {model} {Run} --attention cudnn --steps 3 --checkpoint {scratch.File("straight")} --json");
        Assert.StartsWith("cudnn 9.", straight.First(e => Is(e, "plan")).GetProperty("attention").GetString());
        Events($"train {model} {Run} --attention cudnn --steps 1 --checkpoint {scratch.File("cudnn")} --json");
        string Resumed(string name, string more) => $"train --resume {scratch.File(name)} --steps 3 --json {more}";
        string Refused(string name, string more) => Programs.Refused(2, Programs.DataflowProcess(Resumed(name, more)));
        Assert.Contains("was made with attention by cuDNN 9.", Refused("cudnn", "--attention own"), StringComparison.Ordinal);
        Assert.Contains("give --device cuda, or start a new run", Refused("cudnn", "--device cpu"), StringComparison.Ordinal);
        var older = Programs.Run(
            Path.Combine(Programs.Root, "bin", "dataflow"),
            Resumed("cudnn", "").Split(' ', StringSplitOptions.RemoveEmptyEntries),
            environment: new Dictionary<string, string?> { ["DATAFLOW_EMULATION"] = "cudnn_version=91801" }
        );
        Assert.Contains("and this machine has 9.18.1: its results would be others; install 9.", older.Errors, StringComparison.Ordinal);
        var rest = Events(Resumed("cudnn", ""));
        Assert.Equal(Losses(straight)[1..], Losses(rest));
        Assert.Equal(["steps"], rest.Where(e => Is(e, "changed")).Select(e => e.GetProperty("setting").GetString()));
        Assert.Equal(
            File.ReadAllBytes(scratch.File("straight/step-00000003/model.safetensors")),
            File.ReadAllBytes(scratch.File("cudnn/step-00000003/model.safetensors"))
        );

        // A run by our own kernels, which computes the same but for rounding.
        var own = Events($"train {model} {Run} --steps 1 --checkpoint {scratch.File("own")} --json");
        Assert.Equal("own", own.First(e => Is(e, "plan")).GetProperty("attention").GetString());
        Assert.Equal(Losses(straight)[0], Losses(own)[0], 1e-2);
        Assert.Contains("with attention by our own kernels", Refused("own", "--attention cudnn"), StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public void Dispose() => scratch.Dispose();

    private static JsonElement Json(string arguments) => JsonDocument.Parse(Programs.Good(Programs.Dataflow(arguments))).RootElement;

    private static List<JsonElement> Events(string arguments) =>
        [
            .. Programs
                .Good(Programs.DataflowProcess(arguments))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonDocument.Parse(line).RootElement),
        ];

    private static double[] Losses(List<JsonElement> events) =>
        [.. events.Where(e => Is(e, "step")).Select(e => e.GetProperty("loss").GetDouble())];

    private static bool Is(JsonElement e, string name) => e.GetProperty("event").GetString() == name;
}
