using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.GpuCheck;

/// <summary>
/// Training at the published sizes, as a user starts it: `dataflow train` in bf16 on synthetic tokens, at most 524,288 a step and 110 GiB
/// of host memory. The first step is not counted; as many as fit the time are, and the run is then ended.
/// </summary>
internal sealed partial class MarksStage : Stage
{
    private const int MostStepTokens = 524288;
    private const int SmallStepTokens = 131072;
    private const int MostStepSeconds = 40;
    private const int MostCounted = 5;
    private const string HostGiB = "110";

    // On the emulation: one by itself, and one with the reserve of a profile, which can be too small there as on a GPU.
    private const string DryRun = "nano-32-dry";
    private const string Reserved = "nano-32-reserved";
    private static readonly Bytes s_dryBudget = new(16L << 20);
    private static readonly Bytes s_reservedBudget = new(1400L << 20);
    private static readonly Bytes s_margin = new(32L << 20);

    // Tokens a second that the default, bit-reproducible mode is to reach on an H200-class GPU.
    // Those that a step of 131,072 tokens is predicted to show to within 1% of a step of 524,288 come first: they take a quarter of the
    // time.
    private static readonly Row[] s_rows =
    [
        new("1b", 8192, 40, 60000, SmallStepTokens),
        new("8b", 8192, 78, 11800, SmallStepTokens),
        new("8b", 1024, 78, 13600, SmallStepTokens),
        new("8b", 8192, 78, 11800, SmallStepTokens) { Attention = AttentionProvider.Cudnn },
        new("8b", 65536, 30, 5050, SmallStepTokens),
        new("8b", 65536, 78, 5200, SmallStepTokens),
        new("8b", 8192, 24, 11000),
        new("8b", 8192, 10, 10300),
        new("1b", 8192, 12, 58000),
        new("15b", 8192, 78, 5900),
        new("8b", 8192, 16, 10800),
        new("8b", 1024, 12, 11900),
        new("8b", 1024, 25, 12700),
        new("1b", 524288, 78, 3150),
    ];

    /// <inheritdoc/>
    public override string Name => "marks";

    /// <inheritdoc/>
    public override string Title => "training at the published sizes, against the marks and the prediction";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(175);

    /// <summary>Where one row of tokens is a step of minutes, two steps take longer than the other cases.</summary>
    public override TimeSpan LimitOf(string name) =>
        s_rows.FirstOrDefault(r => r.Name == name) is { } row && row.StepSeconds > MostStepSeconds + 10
            ? TimeSpan.FromSeconds((2 * row.StepSeconds) + 60)
            : CaseLimit;

    /// <summary>Start, weights, a first step and one that counts.</summary>
    public override TimeSpan LeastOf(string name, CheckSettings settings) =>
        TimeSpan.FromSeconds(
            settings.Emulated ? 15 : 30 + (2 * (s_rows.FirstOrDefault(r => r.Name == name)?.StepSeconds ?? MostStepSeconds))
        );

    /// <inheritdoc/>
    public override TimeSpan Share => TimeSpan.FromSeconds(220);

    /// <summary>Start and weights, a first step, and three that count; of long ones one.</summary>
    public override TimeSpan ExpectedOf(string name)
    {
        double step = s_rows.FirstOrDefault(r => r.Name == name)?.StepSeconds ?? 0;
        return TimeSpan.FromSeconds(20 + (step * (step > 15 ? 2 : 4)));
    }

    private static TimeSpan Reserve => TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) =>
        settings.Emulated ? [DryRun, Reserved] : [.. s_rows.Select(r => r.Name)];

    /// <inheritdoc/>
    public override IReadOnlyList<string> UsualCases(CheckSettings settings) =>
        settings.Emulated && settings.Clock is null ? [DryRun] : Cases(settings);

    /// <inheritdoc/>
    public override IReadOnlyList<string> FirstCases(CheckSettings settings) =>
        settings.Emulated ? [DryRun] : [.. s_rows.Where(r => r.StepTokens == SmallStepTokens).Select(r => r.Name)];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        var clock = Stopwatch.StartNew();
        var time = settings.Limit - Reserve;
        var row = settings.Emulated ? new Row("nano", 32, 0, 1, 64) : s_rows.Single(r => r.Name == name);
        var gpu = settings.OpenGpu();
        var (_, profile) = settings.ProfileFor(gpu);
        using var source = ModelSource.Open(Path.Combine(CheckSettings.Root, "models", row.Model + ".json"));
        string tokens = Path.GetTempFileName();
        try
        {
            WriteTokens(tokens, 2 * row.StepRows, row.Seqlen, source.Model.VocabSize); // no two steps in a row see the same
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
                        say(
                            $"step {steps.Count}: {(double)message["tok_per_sec"]!:0} tok/s, loss {(double)message["loss"]!:0.0000}, "
                                + $"{(double)message["seconds"]!:0.0} s"
                        );
                        double next = (double)message["seconds"]!;
                        return steps.Count <= MostCounted && (clock.Elapsed + TimeSpan.FromSeconds(next) < time || steps.Count < 2);
                    }
                }

                return true;
            }

            using var monitor = GpuMonitor.Open(gpu);
            long before = monitor.Memory().Used.Value;
            using var watch = new MemoryWatch(monitor, settings.Poll);
            ChildOutcome Train(Bytes device) =>
                ChildProcess.Run(
                    Path.Combine(CheckSettings.Root, "bin", "dataflow"),
                    [
                        "train",
                        source.Folder ?? Path.Combine(CheckSettings.Root, "models", row.Model + ".json"),
                        "--seqlen",
                        $"{row.Seqlen}",
                        "--global-batch",
                        $"{row.StepRows * row.Seqlen}",
                        "--device-memory",
                        $"{device.Value >> 20}MiB",
                        "--dtype",
                        "bf16",
                        "--device",
                        settings.DeviceName,
                        "--tokens",
                        tokens,
                        "--json",
                        .. settings.Emulated
                            ? ["--host-memory", "64MiB", "--steps", "3"]
                            : (string[])["--host-memory", HostGiB, "--steps", "1000"],
                        .. row.Attention is { } provider ? ["--attention", AttentionProviders.NameOf(provider)] : (string[])[],
                        .. name == DryRun ? [] : (string[])["--hardware", profile],
                    ],
                    time - clock.Elapsed,
                    Take
                );
            var budget =
                name == DryRun ? s_dryBudget
                : name == Reserved ? s_reservedBudget
                : Bytes.FromGiB(row.DeviceGiB);
            var outcome = Train(budget);
            string note = "";
            if (steps.Count == 0 && Beyond(outcome.LastLine, budget) is { } excess)
            {
                // What it takes beside its arena is more than the profile reserves: said, and the speed within the budget measured all the
                // same.
                note =
                    $"what it takes beside its arena was {excess} more than was reserved, so that it was planned for "
                        + $"{budget - excess - s_margin}; ";
                say(note);
                outcome = Train(budget - excess - s_margin);
            }

            long peak = watch.Stop() - before;
            var result = Judge(row, plan, steps, outcome, peak, monitor, settings);
            result.Figures?.Add("nvml", watch.ToJson());
            return note.Length == 0
                ? result
                : result with
                {
                    Verdict = result.Verdict == Verdict.Passed ? Verdict.Failed : result.Verdict,
                    Detail = note + result.Detail,
                };
        }
        finally
        {
            File.Delete(tokens);
        }
    }

    private static CaseResult Judge(
        Row row,
        JsonObject? plan,
        List<JsonObject> steps,
        ChildOutcome outcome,
        long peak,
        GpuMonitor monitor,
        CheckSettings settings
    )
    {
        if (steps.Count < 2)
        {
            string seen =
                steps.Count == 1 ? $"one step of {(double)steps[0]["seconds"]!:0.0} s, the first, which is not counted" : "no step";
            return new CaseResult(
                outcome.Status is null ? Verdict.OutOfTime : Verdict.Failed,
                outcome.Status is null ? $"{seen} in the time there was" : $"{seen}: {outcome.LastLine}",
                plan
            );
        }

        var counted = steps.Skip(1).ToList();
        double speed = counted.Sum(s => (double)s["tokens"]!) / counted.Sum(s => (double)s["seconds"]!);

        // Said beside each step by a program that can tell.
        double? predicted = counted.All(s => s["predicted_seconds"] is not null)
            ? counted.Sum(s => (double)s["tokens"]!) / counted.Sum(s => (double)s["predicted_seconds"]!)
            : null;
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
        string detail =
            $"{speed:0} tok/s over {counted.Count} steps, attention by {plan?["attention"]}, "
                + $"mark {row.TokensPerSecond} ({speed / Math.Max(row.TokensPerSecond, 1):0%}), "
                + $"{foretold}, NVML peak {new Bytes(peak)} of {row.DeviceGiB} GiB";
        return settings.Emulated ? CaseResult.Of(true, $"{counted.Count + 1} steps ran; their times on the emulation mean nothing", figures)
            : peak > Bytes.FromGiB(row.DeviceGiB).Value ? new CaseResult(Verdict.Failed, $"beyond its device budget: {detail}", figures)
            : new CaseResult(speed >= row.TokensPerSecond ? Verdict.Passed : Verdict.Below, detail, figures);
    }

    /// <summary>
    /// How much more than its budget a run that was refused for it would have taken; null where it ended for another reason.
    /// </summary>
    private static Bytes? Beyond(string line, Bytes budget) =>
        line.Contains("more than the device budget", StringComparison.Ordinal) && Needed().Match(line) is { Success: true } match
            ? new Bytes(long.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) << 20) - budget : null;

    [GeneratedRegex(@"--device-memory (\d+)MiB")]
    private static partial Regex Needed();

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

    /// <summary>Synthetic rows as raw token ids.</summary>
    public static void WriteTokens(string file, int rows, int seqlen, int vocabulary)
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

    /// <param name="StepTokens">At most.</param>
    private sealed record Row(string Model, int Seqlen, int DeviceGiB, int TokensPerSecond, int StepTokens = MostStepTokens)
    {
        public string Name => $"{Model}-{Seqlen}-{DeviceGiB}{(Attention is { } by ? $"-{AttentionProviders.NameOf(by)}" : "")}";

        /// <summary>Null: who is faster by the profile, which is our own kernels where cuDNN was not measured.</summary>
        public AttentionProvider? Attention { get; init; }

        /// <summary>Rows of a step: no more than take so many seconds at the mark.</summary>
        public int StepRows => Math.Max(1, Math.Min(StepTokens, TokensPerSecond * MostStepSeconds) / Seqlen);

        /// <summary>What a step takes at the mark.</summary>
        public double StepSeconds => (double)StepRows * Seqlen / TokensPerSecond;
    }
}
