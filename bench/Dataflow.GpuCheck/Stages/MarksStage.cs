using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Cuda;
using Dataflow.Training;

namespace Dataflow.GpuCheck;

/// <summary>
/// Training at the published sizes, as a user starts it: `dataflow train` in bf16 on synthetic tokens, at most 524,288 a step and 110 GiB of
/// host memory. The first step is not counted; as many as fit the time are, and the run is then ended.
/// </summary>
internal sealed class MarksStage : Stage
{
    /// <summary>The row that runs where none is named.</summary>
    public const string UsualRow = "8b-8192-24";

    private const int MostStepTokens = 524288;
    private const int MostStepSeconds = 40;
    private const int MostCounted = 5;
    private const string HostGiB = "110";

    // Tokens a second that the default, bit-reproducible mode is to reach on an H200-class GPU.
    private static readonly Row[] s_rows =
    [
        new("8b", 1024, 78, 13600), new("8b", 1024, 25, 12700), new("8b", 1024, 12, 11900),
        new("8b", 8192, 78, 11800), new("8b", 8192, 24, 11000), new("8b", 8192, 16, 10800), new("8b", 8192, 10, 10300),
        new("8b", 65536, 78, 5200), new("8b", 65536, 30, 5050), new("15b", 8192, 78, 5900),
        new("1b", 8192, 40, 60000), new("1b", 8192, 12, 58000), new("1b", 524288, 78, 3150),
    ];

    /// <inheritdoc/>
    public override string Name => "marks";

    /// <inheritdoc/>
    public override string Title => "training at the published sizes, against the marks and the prediction";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(175);

    /// <summary>Where one row of tokens is a step of minutes, two steps take longer than the other cases.</summary>
    public override TimeSpan LimitOf(string name) => s_rows.FirstOrDefault(r => r.Name == name) is { } row && row.StepSeconds > MostStepSeconds + 10
        ? TimeSpan.FromSeconds((2 * row.StepSeconds) + 60) : CaseLimit;

    /// <summary>Weights, a first step and one that counts.</summary>
    public override TimeSpan CaseLeast(CheckSettings settings) => TimeSpan.FromSeconds(settings.Emulated ? 15 : 120);

    private static TimeSpan Reserve => TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) => settings.Emulated ? ["nano-32-dry"] : [.. s_rows.Select(r => r.Name)];

    /// <inheritdoc/>
    public override IReadOnlyList<string> UsualCases(CheckSettings settings) => settings.Emulated ? Cases(settings) : [UsualRow];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        var clock = Stopwatch.StartNew();
        var time = settings.Limit - Reserve;
        var row = settings.Emulated ? new Row("nano", 32, 0, 0) : s_rows.Single(r => r.Name == name);
        var gpu = settings.OpenGpu();
        var (_, profile) = settings.ProfileFor(gpu);
        using var source = Cli.ModelSource.Open(Path.Combine(CheckSettings.Root, "models", row.Model + ".json"));
        string tokens = Path.GetTempFileName();
        try
        {
            WriteTokens(tokens, settings.Emulated ? 2 : row.StepRows, row.Seqlen, source.Model.VocabSize);
            var steps = new List<JsonObject>();
            JsonObject? plan = null;
            bool Take(string line)
            {
                if (line.StartsWith('{') && Parse(line) is { } message)
                {
                    plan = (string?)message["event"] == "plan" ? message : plan;
                    if ((string?)message["event"] == "step")
                    {
                        steps.Add(message);
                        say($"step {steps.Count}: {(double)message["tok_per_sec"]!:0} tok/s, loss {(double)message["loss"]!:0.0000}, {(double)message["seconds"]!:0.0} s");
                        double next = (double)message["seconds"]!;
                        return steps.Count <= MostCounted && (clock.Elapsed + TimeSpan.FromSeconds(next) < time || steps.Count < 2);
                    }
                }

                return true;
            }

            string[] memory = settings.Emulated ? ["--device-memory", "16MiB", "--host-memory", "64MiB"]
                : ["--device-memory", $"{row.DeviceGiB}", "--host-memory", HostGiB, "--hardware", profile];
            using var monitor = GpuMonitor.Open(gpu);
            long before = monitor.Memory().Used.Value;
            using var watch = new MemoryWatch(monitor);
            var outcome = ChildProcess.Run(
                Path.Combine(CheckSettings.Root, "bin", "dataflow"),
                ["train", source.Folder ?? Path.Combine(CheckSettings.Root, "models", row.Model + ".json"), "--seqlen", $"{row.Seqlen}", .. memory, "--dtype", "bf16", "--device", settings.DeviceName,
                    "--tokens", tokens, "--steps", settings.Emulated ? "3" : "1000", "--json"],
                time - clock.Elapsed, Take);
            long peak = watch.Stop() - before;
            return Judge(row, plan, steps, outcome, peak, monitor, settings);
        }
        finally
        {
            File.Delete(tokens);
        }
    }

    private static CaseResult Judge(Row row, JsonObject? plan, List<JsonObject> steps, ChildOutcome outcome, long peak, GpuMonitor monitor, CheckSettings settings)
    {
        if (steps.Count < 2)
        {
            string seen = steps.Count == 1 ? $"one step of {(double)steps[0]["seconds"]!:0.0} s, the first, which is not counted" : "no step";
            return new CaseResult(outcome.Status is null ? Verdict.OutOfTime : Verdict.Failed, outcome.Status is null ? $"{seen} in the time there was" : $"{seen}: {outcome.LastLine}", plan);
        }

        var counted = steps.Skip(1).ToList();
        double speed = counted.Sum(s => (double)s["tokens"]!) / counted.Sum(s => (double)s["seconds"]!);

        // Said beside each step by a program that can tell.
        double? predicted = counted.All(s => s["predicted_seconds"] is not null) ? counted.Sum(s => (double)s["tokens"]!) / counted.Sum(s => (double)s["predicted_seconds"]!) : null;
        var figures = new JsonObject
        {
            ["tok_per_sec"] = speed,
            ["mark_tok_per_sec"] = row.TokensPerSecond,
            ["predicted_tok_per_sec"] = predicted,
            ["steps_counted"] = counted.Count,
            ["nvml_peak_bytes"] = peak,
            ["clock_mhz_at_the_end"] = monitor.Clock(),
            ["watts_at_the_end"] = monitor.Watts(),
            ["plan"] = plan?.DeepClone(),
            ["steps"] = new JsonArray([.. steps.Select(s => (JsonNode)s.DeepClone())]),
        };
        string foretold = predicted is { } p ? $"predicted {p:0} ({(speed / p) - 1:+0.0%;-0.0%})" : "no prediction";
        string detail = $"{speed:0} tok/s over {counted.Count} steps, mark {row.TokensPerSecond} ({speed / Math.Max(row.TokensPerSecond, 1):0%}), {foretold}, NVML peak {new Model.Bytes(peak)} of {row.DeviceGiB} GiB";
        return settings.Emulated ? CaseResult.Of(true, $"{counted.Count + 1} steps ran; their times on the emulation mean nothing", figures)
            : peak > Model.Bytes.FromGiB(row.DeviceGiB).Value ? new CaseResult(Verdict.Failed, $"beyond its device budget: {detail}", figures)
            : new CaseResult(speed >= row.TokensPerSecond ? Verdict.Passed : Verdict.Below, detail, figures);
    }

    private static JsonObject? Parse(string line)
    {
        try
        {
            return JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            return null; // a line for people
        }
    }

    private static void WriteTokens(string file, int rows, int seqlen, int vocabulary)
    {
        var source = new RandomTokens(rows, seqlen, vocabulary);
        using var stream = File.Create(file);
        int[] ids = new int[source.RowLength];
        for (int r = 0; r < rows; r++)
        {
            source.Read(r, ids);
            stream.Write(MemoryMarshal.AsBytes<int>(ids));
        }
    }

    private sealed record Row(string Model, int Seqlen, int DeviceGiB, int TokensPerSecond)
    {
        public string Name => $"{Model}-{Seqlen}-{DeviceGiB}";

        /// <summary>Rows of data, and so the most that a step has: no more than take so many seconds at the mark.</summary>
        public int StepRows => Math.Max(1, Math.Min(MostStepTokens, TokensPerSecond * MostStepSeconds) / Seqlen);

        /// <summary>What a step takes at the mark.</summary>
        public double StepSeconds => (double)StepRows * Seqlen / TokensPerSecond;
    }
}
