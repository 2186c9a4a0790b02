using System.Text.Json;
using System.Text.Json.Nodes;

namespace Dataflow.Cli.Tests;

/// <summary>A run as a file: read, overridden, printed, saved, run again.</summary>
public sealed class RunFileTests : IDisposable
{
    private const string Small = """
        # A comment.
        model: nano
        seqlen: 64
        data: [README.md]
        steps: 2
        lr: 2e-3
        global-batch: 256
        device: cpu
        device-memory: 8MiB
        host-memory: 64MiB
        schedule: cosine
        schedule-options: {floor: 0.05}
        no-cache: true
        """;

    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    [Fact]
    public void The_saved_file_says_all_and_runs_the_same_run_again()
    {
        string first = scratch.File("first"), second = scratch.File("second");
        string printed = Programs.Good(Programs.Dataflow($"train {Write(Small)} --seed 7 --steps 3 --checkpoint {first}"));
        string saved = File.ReadAllText(Path.Combine(first, "run.yaml"));
        foreach (string line in saved.Split('\n').TakeWhile(l => l != "recorded:").Where(l => l is not "" and not ['#', ..]))
        {
            Assert.Contains($"  {line}\n", printed, StringComparison.Ordinal);
        }

        Assert.Matches(@"(?m)^seed: 7 +# command line$", saved);
        Assert.Matches(@"(?m)^steps: 3 +# command line$", saved);
        Assert.Matches(@"(?m)^lr: 2e-3 +# run file$", saved);
        Assert.Matches(@"(?m)^schedule-options: floor=0.05 +# run file$", saved);
        Assert.Matches(@"(?m)^beta1: 0.9 +# default$", saved);
        Assert.Matches(@"(?m)^chunk: [0-9]+ +# planned$", saved);
        Assert.Matches(@"(?m)^  plan: [0-9a-f]{64}$", saved);
        Assert.Matches(@"(?m)^  model: [0-9a-f]{32}$", saved);
        Assert.Matches(@"(?m)^  data: xxh128 ", saved);
        Assert.Matches(@"(?m)^  version: [0-9]", saved);

        string again = Programs.Good(Programs.Dataflow($"train {first}/run.yaml --checkpoint {second}"));
        Assert.Equal(Losses(printed), Losses(again));
        foreach (string file in (string[])["model.safetensors", "first_moments.safetensors", "second_moments.safetensors"])
        {
            byte[] Of(string folder) => File.ReadAllBytes(Path.Combine(folder, "step-00000003", file));
            Assert.Equal(Of(first), Of(second));
        }
    }

    [Fact]
    public void A_run_that_goes_on_says_what_changed_and_when()
    {
        string folder = scratch.File("run");
        _ = Programs.Good(Programs.Dataflow($"train {Write(Small)} --checkpoint {folder}"));
        var began = RunFile.Read(Path.Combine(folder, RunFile.Name));
        _ = Programs.Good(Programs.Dataflow($"train --resume {folder} --steps 3 --lr 1e-3"));
        _ = Programs.Good(Programs.Dataflow($"train --resume {folder} --steps 4"));
        var file = RunFile.Read(Path.Combine(folder, RunFile.Name));
        Assert.Equal("4", file.TextOf("steps"));
        Assert.Equal("1e-3", file.TextOf("lr"));
        Assert.Equal(
            """[{"after_step":"2","steps":"2 -> 3","lr":"2e-3 -> 1e-3"},{"after_step":"3","steps":"3 -> 4"}]""",
            file.Recorded!["resumed"]!.ToJsonString(Relaxed));
        Assert.Equal($"{began.Recorded!["weights"]}", $"{file.Recorded["weights"]}");
        Assert.Equal($"{began.Recorded["model"]}", $"{file.Recorded["model"]}");
    }

    [Fact]
    public void A_run_that_goes_on_with_an_adapter_still_says_which()
    {
        string folder = scratch.File("run");
        _ = Programs.Good(Programs.Dataflow($"train {Write(Small)} --lora-rank 4 --lora-targets q_proj,v_proj --checkpoint {folder}"));
        _ = Programs.Good(Programs.Dataflow($"train --resume {folder} --steps 3"));
        var file = RunFile.Read(Path.Combine(folder, RunFile.Name));
        Assert.Equal(("4", "q_proj,v_proj", "3"), (file.TextOf("lora-rank"), file.TextOf("lora-targets"), file.TextOf("steps")));
    }

    [Fact]
    public void Data_that_changed_since_is_told_of()
    {
        string text = scratch.File("text.txt"), folder = scratch.File("run");
        File.WriteAllText(text, new string('a', 9_000));
        _ = Programs.Good(Programs.Dataflow($"train {Write(Small)} --data {text} --checkpoint {folder}"));
        File.WriteAllText(text, new string('b', 9_000));
        var again = Programs.Dataflow($"train {folder}/run.yaml --checkpoint {scratch.File("other")}");
        Assert.Equal(0, again.Status);
        Assert.StartsWith("warning: the data is not what it was when the run file was saved", again.Errors, StringComparison.Ordinal);
        var another = Programs.Dataflow($"train {folder}/run.yaml --data README.md --checkpoint {scratch.File("third")}");
        Assert.Equal("", another.Errors);
    }

    [Fact]
    public void Json_is_a_run_file_too_and_a_config_of_a_model_is_none()
    {
        string file = scratch.File("run.json");
        File.WriteAllText(
            file, """{ "model": "nano", "seqlen": 64, "data": ["README.md"], "steps": 1, "device": "cpu", "no-cache": true }""");
        Assert.Contains("step 1/1", Programs.Good(Programs.Dataflow($"train {file}")), StringComparison.Ordinal);
        Assert.False(RunFile.IsOne("models/nano.json"));
        Assert.False(RunFile.IsOne("nosuch.json"));
    }

    [Fact]
    public void Other_verbs_plan_what_it_trains()
    {
        string file = Write(Small + "\npreference-loss: sigmoid\npreference-beta: 0.2\ncheckpoint-every: 5\n");
        string plan = Programs.Good(Programs.Dataflow($"plan {file} --no-cache --json"));
        string said = Programs.Good(Programs.Dataflow("plan nano --seqlen 64 --data README.md --global-batch 256 --device cpu "
            + "--device-memory 8MiB --host-memory 64MiB --pairs --no-cache --json"));
        Assert.Equal($"{JsonNode.Parse(said)!["plan_hash"]}", $"{JsonNode.Parse(plan)!["plan_hash"]}");
        Assert.Contains("16 Mi", Programs.Good(Programs.Dataflow($"plan {file} --device-memory 16MiB --no-cache"))
            .Replace("16.00 Mi", "16 Mi", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model: nano\nseqlen: 128\nglobal_batch: 4", "line 3: global_batch is no option of train; did you mean global-batch?")]
    [InlineData("model: nano\nseqlen: abc", "line 2: --seqlen: 'abc' is no whole number of tokens")]
    [InlineData("model: nano\nseqlen: [1, 2]", "line 2: seqlen takes one value (N), and this is a list")]
    [InlineData("model: nano\nlr: {a: 1}", "line 2: lr takes one value (X), and this is a mapping")]
    [InlineData("model: nano\ndata: [[a]]", "line 2: data takes plain values")]
    [InlineData("model: nano\n\noverwrite: 3", "line 3: overwrite is true or false, not '3'")]
    [InlineData("model: nano\nlr:\nseqlen: 3", "line 2: lr has no value")]
    [InlineData("model: [nano]", "line 1: model takes one name")]
    [InlineData("model: nano\nlr: 3\nlr: 4", "line 3: lr is there twice")]
    [InlineData("model: nano\nlr: &a 3\nseqlen: *a", "line 3: anchors and aliases are not read")]
    [InlineData("model: nano\n---\nmodel: b", "line 2: a run file has one document")]
    [InlineData("model: \"nano", "line 1: this is neither YAML nor JSON")]
    [InlineData("- a", "line 1: a run file has a name and a value a line")]
    [InlineData("", "is empty; give a run at least its model")]
    [InlineData("seqlen: 128", "<model> is missing")]
    [InlineData("model: nano\nrecorded: [[[[[[[[[[1]]]]]]]]]]", "line 2: values are nested more than 8 deep")]
    [InlineData("model: nano\njson: true", "line 2: json is no option of train")]
    public void What_it_cannot_say_is_refused_by_its_line(string text, string part)
    {
        string refused = Programs.Refused(2, Programs.Dataflow($"train {Write(text)}"));
        Assert.Contains(part, refused, StringComparison.Ordinal);
        Assert.Contains("run.yaml", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void Brackets_without_end_are_refused_and_overflow_nothing() =>
        Assert.Contains(
            "deep",
            Programs.Refused(2, Programs.Dataflow($"train {Write("model: " + new string('[', 200_000))}")),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("plain text")]
    [InlineData("model.layers.[0-15].*|*norm*:factor=0.1,decay=0")]
    [InlineData("a: b # c")]
    [InlineData("- 'quoted' \"twice\"")]
    [InlineData("line\nbreak\tand tab")]
    [InlineData("null")]
    [InlineData("~")]
    [InlineData("ends with colon:")]
    [InlineData("Grüße 🙂")]
    [InlineData("@x %y !z &w *v")]
    [InlineData("C:\\folder\\")]
    [InlineData("a\u0001b")]
    [InlineData("#")]
    public void Any_text_is_written_so_that_it_is_read_back(string text)
    {
        string file = scratch.File("run.yaml");
        File.WriteAllText(
            file,
            string.Join('\n', RunFileText.Lines([new RunSetting("one", [text], default), new RunSetting("two", [text, text], default)])));
        var read = RunFile.Read(file);
        Assert.Equal(text, read.TextOf("one"));
        Assert.Equal([text, text], read.Entries[1].Value!.AsArray().Select(n => n!.GetValue<string>()));
    }

    [Fact]
    public void The_schema_for_editors_is_that_of_the_options()
    {
        string schema = Programs.Good(Programs.Dataflow("train --schema"));
        Assert.Equal(File.ReadAllText(Path.Combine(Programs.Root, "recipes", "run.schema.json")), schema);
        var keys = JsonNode.Parse(schema)!["properties"]!.AsObject();
        var options = TrainVerb.Command().Options.Select(o => o.Name[2..]).Except(["json", "schema", "model"]);
        Assert.Equal(options.Concat(["model", "recorded", "recipe"]).Order(), keys.Select(k => k.Key).Order());
        foreach (var (name, key) in keys)
        {
            foreach (var value in key!["anyOf"]?[0]?["enum"]?.AsArray() ?? [])
            {
                Assert.Empty(TrainVerb.Command().Parse(["nano", "--seqlen", "64", $"--{name}={value}"]).Errors);
            }
        }
    }

    private static readonly JsonSerializerOptions Relaxed =
        new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static IEnumerable<string> Losses(string printed) =>
        printed.Split('\n').Where(l => l.StartsWith("step ", StringComparison.Ordinal))
            .Select(l => l[.."step 1/3  loss 1.2345".Length]);

    private string Write(string text)
    {
        string file = scratch.File("run.yaml");
        File.WriteAllText(file, text);
        return file;
    }
}
