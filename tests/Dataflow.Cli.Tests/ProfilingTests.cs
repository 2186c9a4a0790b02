using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>What a run tells of its time: traces, a profiler's ranges, calibration and prediction.</summary>
[Trait("Slow", "true")]
public class ProfilingTests
{
    private static readonly GoldenFolder Golden = new("llama-small");

    private static string Training(string options, int steps = 2) =>
        $"train {Golden.Path} --seqlen {Golden.Seqlen} --host-memory 64MiB --device-memory 1300KiB --chunk 32 --dtype fp32 --steps "
            + $"{steps} {options}";

    [Fact]
    public void A_run_by_a_profile_that_was_never_measured_prints_a_prediction_and_says_what_it_is_worth()
    {
        string output = Programs.Good(
            Programs.Demo("64MiB 8MiB 64 models/nano.json --data README.md --global-batch 512 --steps 2 --hardware cpu")
        );
        Assert.Matches(
            @"Predicted: \d+\.\d+ s a step, by assumed rates: nothing was fitted to cpu or measured on it; `dataflow calibrate`",
            output
        );
        Assert.Matches(@"Step: predicted \d+\.\d+ s, measured \d+\.\d+ s \(median after the first\), measured / predicted \d+", output);
    }

    [Fact]
    public void A_CPU_that_was_never_calibrated_is_measured_once_for_predictions_and_never_for_plans()
    {
        const string run = "64MiB 8MiB 64 models/nano.json --data README.md --global-batch 512 --steps 2 --json";
        JsonElement[] Lines() =>
            [
                .. Programs
                    .Good(Programs.Demo(run))
                    .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                    .Select(l => JsonDocument.Parse(l).RootElement),
            ];
        if (HardwareFiles.ThisMachine(DeviceKind.Cpu, named: null) is { Kernels: null } generic)
        {
            var (first, second) = (Lines(), Lines());
            Assert.Equal("this-cpu-quick", first[^1].GetProperty("hardware").GetString());

            // What was measured while others had the processors is measured again once they no longer have.
            double Of(JsonElement[] lines, string name) => lines[^1].GetProperty(name).GetDouble();
            bool again = Math.Abs(Of(first, "taken_by_others") - Of(second, "taken_by_others")) > 0.005;
            Assert.Equal(!again, Of(first, "predicted_step_seconds") == Of(second, "predicted_step_seconds"));
            Assert.Equal(generic.Name, first[0].GetProperty("planned_for").GetString());
        }
        else
        {
            Assert.Equal("this-cpu", Lines()[^1].GetProperty("hardware").GetString()); // somebody did calibrate it
        }
    }

    [Theory]
    [InlineData("cpu")]
    [InlineData("cuda-emulated")]
    public void A_trace_has_every_op_of_the_steps_asked_for(string device)
    {
        using var scratch = new ScratchFolder();
        string file = scratch.File("trace.json");
        // The simple rules let the first layer's parameters travel here.
        string output = Programs.Good(Programs.Dataflow(Training($"--device {device} --policy simple --trace {file} --trace-steps 2")));
        Assert.Contains($"Trace in {file}", output, StringComparison.Ordinal);
        var events = JsonDocument.Parse(File.ReadAllText(file)).RootElement.GetProperty("traceEvents").EnumerateArray().ToList();
        string Name(JsonElement e) => e.GetProperty("name").GetString()!;
        
        // A second process is the prediction, where this machine has a profile.
        var slices = events.Where(e => e.GetProperty("ph").GetString() == "X" && e.GetProperty("pid").GetInt32() == 1).ToList();
        Assert.Equal(["step 2"], slices.Where(e => Name(e).StartsWith("step ", StringComparison.Ordinal)).Select(Name));
        int ops = slices
            .Where(e => e.TryGetProperty("args", out var a) && a.TryGetProperty("op", out _))
            .Select(e => e.GetProperty("args").GetProperty("op").GetInt32())
            .Distinct()
            .Count();
        Assert.Contains($": {ops} ops a step", output, StringComparison.Ordinal);
        var fetch = slices.First(e => Name(e) == "Fetch W/L00");
        Assert.True(fetch.GetProperty("args").GetProperty("bytes").GetInt64() > 0);
        Assert.Contains(events, e => Name(e) == "device memory in use");

        // No slice of a lane begins before the one before it has ended.
        foreach (var lane in slices.GroupBy(e => e.GetProperty("tid").GetInt32()))
        {
            decimal end = 0;
            foreach (var slice in lane.OrderBy(e => e.GetProperty("ts").GetDecimal()).ThenBy(e => e.GetProperty("dur").GetDecimal()))
            {
                Assert.True(slice.GetProperty("ts").GetDecimal() >= end, Name(slice));
                end = slice.GetProperty("ts").GetDecimal() + slice.GetProperty("dur").GetDecimal();
            }
        }
    }

    [Fact]
    public void A_page_shows_the_measured_step_below_its_prediction()
    {
        using var scratch = new ScratchFolder();
        string file = scratch.File("step.html");
        string output = Programs.Good(Programs.Dataflow(Training($"--device cpu --hardware cpu --page {file} --trace-steps 2")));
        Assert.Contains($"Timeline in {file}", output, StringComparison.Ordinal);
        Assert.Equal(
            ["Simulated", "Measured"],
            PageData.Of(file).GetProperty("steps").EnumerateArray().Select(s => s.GetProperty("source").GetString())
        );
        Assert.StartsWith(
            "step 2 on cpu",
            PageData.Of(file).GetProperty("steps")[1].GetProperty("name").GetString(),
            StringComparison.Ordinal
        );
    }

    /// <summary>The same parts are predicted and measured, and their shares are of all that compute does.</summary>
    [Fact]
    public void A_traced_run_and_a_simulation_say_what_each_kind_of_layer_takes()
    {
        using var scratch = new ScratchFolder();
        string model = scratch.File("hybrid.json");
        File.WriteAllText(model, """
            {"model_type": "qwen3_5_text", "vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2,
            "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 48, "linear_num_key_heads": 1, "linear_num_value_heads": 2,
            "linear_key_head_dim": 8, "linear_value_head_dim": 8,
            "layer_types": ["linear_attention", "linear_attention", "linear_attention", "full_attention"]}
            """);
        string run = $"train {model} --seqlen 64 --data README.md --steps 2 --global-batch 512 --device cpu --hardware cpu "
            + $"--host-memory 64MiB --device-memory 16MiB --trace {scratch.File("trace.json")} --trace-steps 2";
        string text = Programs.Good(Programs.Dataflow(run));
        Assert.Matches(@"Compute: .*\d% 3 gated delta layers.* \(measured\)", text);
        Assert.Contains("1 attention layer,", text, StringComparison.Ordinal);
        var end = JsonDocument.Parse(Programs.Good(Programs.Dataflow($"{run} --json")).TrimEnd().Split('\n')[^1]).RootElement;
        var answer = JsonDocument.Parse(Programs.Good(Programs.Dataflow(
            $"simulate {model} --seqlen 64 --host-memory 1 --device-memory 1 --hardware cpu --json"))).RootElement;
        JsonElement[][] all =
        [
            [.. end.GetProperty("compute_parts").EnumerateArray()],
            [.. end.GetProperty("predicted_compute_parts").EnumerateArray()],
            [.. answer.GetProperty("compute_parts").EnumerateArray()],
        ];
        Assert.All(all, parts =>
        {
            Assert.Equal(
                ["attention layers 1", "embedding and head 0", "gated delta layers 3", "optimizer 0"],
                parts
                    .Select(p => $"{p.GetProperty("part").GetString()} {p.GetProperty("layers").GetInt32()}")
                    .Order(StringComparer.Ordinal));
            Assert.Equal(1, parts.Sum(p => p.GetProperty("share").GetDouble()), 1e-9);
        });
        double seconds = all[2].Sum(p => p.GetProperty("seconds").GetDouble());
        Assert.Equal(answer.GetProperty("compute_busy_seconds").GetDouble(), seconds, 1e-9);
    }

    [Fact]
    public void Traces_that_cannot_be_made_are_refused_before_training()
    {
        Assert.Contains(
            "--interleaving",
            Programs.Refused(2, Programs.Dataflow(Training("--trace trace.json --interleaving 1"))),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "step 9",
            Programs.Refused(2, Programs.Dataflow(Training("--trace trace.json --trace-steps 1,9"))),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "no-such-folder",
            Programs.Refused(2, Programs.Dataflow(Training("--trace no-such-folder/trace.json"))),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "no-such-folder",
            Programs.Refused(2, Programs.Dataflow(Training("--page no-such-folder/step.html"))),
            StringComparison.Ordinal
        );
        Assert.Contains("--device cuda", Programs.Refused(2, Programs.Dataflow(Training("--profile-steps 1,2"))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_profiler_is_told_steps_rounds_passes_layers_and_chunks_and_copies_by_object()
    {
        using var scratch = new ScratchFolder();
        string record = scratch.File("record");
        var told = new Dictionary<string, string?>
        {
            ["NVTX_INJECTION64_PATH"] = Path.Combine(Programs.Root, "artifacts", "nvtx", "libnvtx-recorder.so"),
            ["NVTX_RECORD"] = record,
        };
        string[] arguments = Training("--device cuda-emulated --profile-steps 2,2").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Programs.Good(Programs.Run(Path.Combine(Programs.Root, "bin", "dataflow"), arguments, environment: told));
        string[] lines = File.ReadAllLines(record);
        Assert.Equal(
            [
                "thread launches",
                "stream compute",
                "stream h2d",
                "stream d2h",
                "domain Dataflow",
                "domain Dataflow h2d",
                "domain Dataflow d2h",
            ],
            lines[..7]
        );

        var open = new Dictionary<string, Stack<string>>();
        var paths = new HashSet<string>();
        foreach (string line in lines[7..])
        {
            string[] parts = line.Split(": ", 2);
            string domain = parts[0].Split(' ', 2)[1];
            var stack = open.TryGetValue(domain, out var known) ? known : open[domain] = new Stack<string>();
            if (line.StartsWith("pop ", StringComparison.Ordinal))
            {
                stack.Pop();
                continue;
            }

            stack.Push(parts[1]);
            paths.Add($"{domain}: {string.Join(" > ", stack.Reverse())}");
        }

        Assert.All(open.Values, Assert.Empty);
        Assert.All(
            [
                "Dataflow: step 2 (not kept) > round R0 > forward > layer L01 > Forward L01 C0 R0",
                "Dataflow: step 1 (not kept) > round R0 > backward > layer L00 > Backward L00 C0 R0",
                "Dataflow: step 2 (not kept) > update > layer L01 > Update W/L01",
                "Dataflow h2d: Fetch W/L01",
                "Dataflow d2h: Save W/L00",
            ],
            path => Assert.Contains(path, paths));
        Assert.DoesNotContain("not valid", string.Concat(paths), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_profiler_or_with_a_broken_one_training_is_the_same()
    {
        string[] arguments = Training("--device cuda-emulated --json", steps: 1).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string Run(string? tool) =>
            Programs.Good(
                Programs.Run(
                    Path.Combine(Programs.Root, "bin", "dataflow"),
                    arguments,
                    environment: new Dictionary<string, string?> { ["NVTX_INJECTION64_PATH"] = tool }
                )
            );
        double Loss(string output) => JsonDocument
            .Parse(output.Split('\n').Single(l => l.Contains("\"event\":\"step\"", StringComparison.Ordinal)))
            .RootElement.GetProperty("loss")
            .GetDouble();
        Assert.Equal(Loss(Run(null)), Loss(Run("/no/such/library.so")));
    }

    [Theory]
    [InlineData("cuda-emulated", "--dtype fp32", "gpu")]
    [InlineData("cpu", "", "cpu")]
    public void Calibration_writes_a_profile_that_says_what_was_measured(string device, string options, string kind)
    {
        using var scratch = new ScratchFolder();
        string file = scratch.File("machine.json");
        var outcome = Programs.Dataflow($"calibrate --device {device} --seconds 1 --out {file} --json {options}");
        Assert.True(outcome.Status == 0, outcome.Errors);
        var profile = JsonDocument.Parse(File.ReadAllText(file)).RootElement;
        Assert.Equal(kind, profile.GetProperty("kind").GetString());
        Assert.All(Figures(profile), f => Assert.Equal("measured", f.GetProperty("kind").GetString()));
        Assert.Contains("load average", profile.GetProperty("kernels").GetProperty("source").GetString(), StringComparison.Ordinal);
        var rates = profile.GetProperty("kernels").GetProperty("rates");
        Assert.All(
            [
                "GemmForward",
                "GemmInputGradient",
                "GemmWeightGradient",
                "AttentionForward",
                "AttentionBackward",
                "RmsNormBackward",
                "CrossEntropy",
                "Update",
            ],
            k => Assert.True(rates.TryGetProperty(k, out _), k)
        );
        if (device == "cpu")
        {
            var lines = Programs
                .Good(Programs.Dataflow(Training($"--hardware {file} --json", steps: 3)))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(l => JsonDocument.Parse(l).RootElement)
                .ToList();
            double predicted = lines[^1].GetProperty("predicted_step_seconds").GetDouble(),
                measured = lines[^1].GetProperty("measured_step_seconds").GetDouble();
            var first = lines.First(l => l.GetProperty("event").GetString() == "step");
            Assert.Equal(predicted, first.GetProperty("predicted_seconds").GetDouble());
            Assert.Equal(measured / predicted, lines[^1].GetProperty("measured_per_predicted").GetDouble(), 1e-9);
            Assert.InRange(predicted, 1e-6, 1e6);
        }
    }

    private static IEnumerable<JsonElement> Figures(JsonElement profile) => profile.EnumerateObject()
        .Where(p => p.Value.ValueKind == JsonValueKind.Object && p.Name != "kernels")
        .SelectMany(p => p.Value.TryGetProperty("value", out _) ? [p.Value] : p.Value.EnumerateObject().Select(f => f.Value));
}
