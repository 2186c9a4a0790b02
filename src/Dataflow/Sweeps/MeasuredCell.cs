using System.Text.Json;
using Dataflow.Model;
using Dataflow.Reports;

namespace Dataflow;

/// <summary>How a run in a process of its own ended.</summary>
/// <param name="Status">Its exit status; null where its time was over.</param>
/// <param name="Lines">What it printed.</param>
/// <param name="Fault">What to say if it failed.</param>
/// <param name="PeakResidentBytes">Physical memory at its peak, as last seen while it ran; null where the system does not tell.</param>
public sealed record TrainingOutcome(int? Status, IReadOnlyList<string> Lines, string Fault, long? PeakResidentBytes);

/// <summary>Runs the command line `dataflow` with these arguments in a process of its own, to its end or to that of its time.</summary>
public delegate TrainingOutcome TrainingProcess(string[] arguments, TimeSpan limit);

/// <summary>
/// A cell that is measured: `train` of the command line in a process of its own, so that neither memory nor a failure outlives it. The
/// cell is simulated first: what does not fit is not run, and the plan's figures and the prediction are those of the plan that runs.
/// </summary>
internal static class MeasuredCell
{
    private const double GiB = 1L << 30;

    /// <summary>Measures a cell. Whatever goes wrong with it becomes its row.</summary>
    public static ResultRow Run(
        SweepCell cell,
        SimulationRequest request,
        SweepMeasurement how,
        PlanCache cache,
        string? commit,
        SweepTimelines? timelines,
        TrainingProcess run
    )
    {
        SimulationAnswer answer;
        try
        {
            answer = SimulationAnswer.Of(request, SimulationAnswer.SearchFor(request, cache));
        }
        catch (UserErrorException e)
        {
            answer = new SimulationAnswer.Infeasible(request, e.Message);
        }

        var predicted = SweepRow.Of(cell, answer, commit) with { Source = ResultSource.Measured };
        if (!predicted.Feasible)
        {
            return predicted;
        }

        var outcome = run(
            Arguments(cell, request, how, predicted, timelines?.PageOf(predicted)),
            TimeSpan.FromSeconds(how.LimitSeconds)
        );
        try
        {
            return outcome.Status == 0 ? Measured(predicted, request, how, outcome) : Failed(predicted, outcome.Fault);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return Failed(predicted, $"its report cannot be read ({e.Message})");
        }
    }

    private static string[] Arguments(SweepCell cell, SimulationRequest request, SweepMeasurement how, ResultRow predicted, string? page) =>
        [
            "train",
            cell.Model,
            "--seqlen",
            $"{cell.Seqlen}",
            "--device-memory",
            $"{request.Budget.Device.Value}B",
            "--host-memory",
            $"{request.Budget.Host.Value}B",
            "--global-batch",
            $"{predicted.SequencesPerStep * cell.Seqlen}",
            "--dtype",
            request.ChosenRecipe.Name,
            "--policy",
            PlanPolicies.NameOf(request.Policy),
            "--hardware",
            cell.Hardware,
            "--device",
            how.Device,
            how.Data.EndsWith(".bin", StringComparison.Ordinal) ? "--tokens" : "--data",
            how.Data,
            "--json",
            .. request.Attention is { } provider ? ["--attention", AttentionProviders.NameOf(provider)] : (string[])[],
            .. request.Model.Adapter is { } adapter ? ["--lora-rank", $"{adapter.Config.Rank}"] : (string[])[],
            .. request.Model.BaseWeights is { } stored ? ["--base-weights", stored.Name()] : (string[])[],
            // A step that is looked at takes longer: it is one more, the last, and does not count.
            .. page is null
                ? ["--steps", $"{how.Steps}"]
                : new[] { "--steps", $"{how.Steps + 1}", "--page", page, "--trace-steps", $"{how.Steps + 1}" },
        ];

    /// <summary>The mean of the steps after warm-up, as the published sweeps have it.</summary>
    private static ResultRow Measured(ResultRow predicted, SimulationRequest request, SweepMeasurement how, TrainingOutcome outcome)
    {
        var events = outcome.Lines.Select(l => JsonDocument.Parse(l).RootElement).ToList();
        double[] seconds =
        [
            .. events.Where(e => e.GetProperty("event").GetString() == "step").Select(e => e.GetProperty("seconds").GetDouble()),
        ];
        double[] counted = Counted([.. seconds.Take(how.Steps)], how);
        if (counted.Length == 0)
        {
            return Failed(predicted, $"all of its {seconds.Length} steps were warm-up; give more steps");
        }

        var summary = events[^1];
        double step = counted.Average();
        var throughput = Throughput.Of(
            request.Model,
            request.Seqlen,
            predicted.SequencesPerStep!.Value,
            0,
            step,
            request.Hardware.PeakFlopsPerSecond(request.ChosenRecipe.Activations)
        );
        var row = predicted with
        {
            StepSeconds = step,
            TokensPerSecond = throughput.TokensPerSecond,
            MeasuredTokensPerSecond = throughput.TokensPerSecond,
            Tflops = throughput.FlopsPerSecond / 1e12,
            Mfu = throughput.Mfu,
            Hfu = predicted.Hfu * predicted.StepSeconds / step,
            UsedDeviceGiB = summary.GetProperty("device_peak_bytes").GetInt64() / GiB,
            UsedHostGiB = summary.GetProperty("host_peak_bytes").GetInt64() / GiB,
            HostPeakGiB = outcome.PeakResidentBytes / GiB,
            DevicePeakGiB = summary.GetProperty("device_taken_bytes") is { ValueKind: JsonValueKind.Number } taken
                ? taken.GetInt64() / GiB
                : null,
            StallPercent = null, // simulated, and this row is measured
        };
        string? hash = summary.GetProperty("plan_hash").GetString();
        return hash == predicted.PlanHash ? row : WithoutPlan(row) with { PlanHash = hash };
    }

    /// <summary>Seconds of the steps that count.</summary>
    internal static double[] Counted(double[] seconds, SweepMeasurement how)
    {
        double begun = 0;
        int warm = how.WarmupSteps;
        for (int i = 0; i < seconds.Length && begun < how.WarmupSeconds; i++)
        {
            begun += seconds[i];
            warm = Math.Max(warm, i + 1);
        }

        return seconds[Math.Min(warm, seconds.Length)..];
    }

    /// <summary>Another plan ran than the one that was simulated: what the simulation said of that one does not hold.</summary>
    private static ResultRow WithoutPlan(ResultRow row) =>
        row with
        {
            ChunkTokens = null,
            HomeActivations = null,
            InputOnlySaved = null,
            AttentionSaved = null,
            FullSaved = null,
            DeviceActivations = null,
            Rounds = null,
            RecomputeFraction = null,
            AttentionFraction = null,
            Hfu = null,
            PredictedTokensPerSecond = null,
            ToDeviceGB = null,
            ToHostGB = null,
        };

    private static ResultRow Failed(ResultRow predicted, string why) =>
        WithoutPlan(predicted) with
        {
            Feasible = false,
            Reason = $"failed: {why}",
            UsedDeviceGiB = null,
            UsedHostGiB = null,
            SequencesPerStep = null,
            StepSeconds = null,
            TokensPerSecond = null,
            Tflops = null,
            Mfu = null,
            StallPercent = null,
            PredictedTokensPerSecond = predicted.PredictedTokensPerSecond,
        };
}
