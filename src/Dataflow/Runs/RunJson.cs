using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Simulation;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The events of a run as JSON, an object each, for programs that watch it.</summary>
public sealed class RunJson
{
    // Told with the first step.
    private readonly List<string> untold = [];
    private string? validation;

    /// <summary>An event; null for what is told with the first step, or not to programs.</summary>
    public JsonObject? Of(RunEvent happened)
    {
        switch (happened)
        {
            case RunEvent.Noted noted:
                untold.AddRange(noted.Notes);
                return null;
            case RunEvent.Scheduled scheduled:
                untold.Add($"learning rate: {scheduled.Rates}");
                return null;
            case RunEvent.Validating validating:
                validation = validating.What;
                return null;
            case RunEvent.Planned planned:
                return Named("plan", PlanJson.Of(planned.Request, planned.Result, null, planned.By, planned.Notes));
            case RunEvent.Described described:
                return Named("run", Described(described.Run));
            case RunEvent.SavesPlanned saves:
                return Named("checkpoints", Planned(saves));
            case RunEvent.Changed { Change: var change }:
                return Named("changed", new JsonObject { ["setting"] = change.Name, ["from"] = change.From, ["to"] = change.To });
            case RunEvent.Stepped stepped:
                return Named("step", Stepped(stepped.Step));
            case RunEvent.Saved { Step: var saved }:
                return Named("saved", Saved(saved));
            case RunEvent.SaveFailed failed:
                return Named("save_failed", new JsonObject { ["step"] = failed.Step, ["message"] = failed.Why });
            case RunEvent.Interrupted interrupted:
                return Named("interrupted", new JsonObject { ["step"] = interrupted.Step, ["steps"] = interrupted.Steps });
            case RunEvent.Finished { Summary: var summary }:
                return Named("summary", Finished(summary));
            default:
                return null;
        }
    }

    private static JsonObject Named(string kind, JsonObject fields)
    {
        fields.Insert(0, "event", kind);
        return fields;
    }

    private static JsonObject Described(RunDescription run) =>
        new()
        {
            ["settings"] = new JsonArray([
                .. run.Settings.Select(s => (JsonNode)new JsonObject
                {
                    ["name"] = s.Name,
                    ["values"] = new JsonArray([.. s.Values]),
                    ["origin"] = s.SaidBy,
                }),
            ]),
            ["recorded"] = run.Recorded.DeepClone(),
        };

    private static JsonObject Planned(RunEvent.SavesPlanned saves) =>
        new()
        {
            ["folder"] = saves.Plan.Settings.Folder,
            ["every"] = saves.Plan.Settings.Every,
            ["keep"] = saves.Plan.Settings.Keep,
            ["bytes"] = saves.Plan.Each.Value,
            ["predicted_seconds"] = saves.Plan.Seconds,
            ["snapshot_bytes"] = saves.Plan.Snapshot?.Value,
            ["beyond_grace"] = saves.Plan.BeyondGrace(saves.StepSeconds),
            ["data_sampled"] = saves.Data?.Fingerprint.IsSampled,
        };

    private static JsonObject Saved(SavedStep saved) =>
        new()
        {
            ["step"] = saved.Step,
            ["folder"] = saved.Folder,
            ["checkpoint"] = saved.Checkpoint.Folder,
            ["bytes"] = saved.Checkpoint.Size.Value,
            ["seconds"] = saved.Seconds,
            ["finite"] = saved.Checkpoint.IsFinite,
        };

    private JsonObject Stepped(StepResult line)
    {
        var step = new JsonObject
        {
            ["step"] = line.Step.Step,
            ["loss"] = Number(line.Step.Loss),
            ["tok_per_sec"] = line.Step.TokensPerSecond,
            ["tokens"] = line.Step.Tokens,
            ["all_tokens"] = line.AllTokens,
            ["seconds"] = line.Step.Duration.TotalSeconds,
            ["tflops"] = line.FlopsPerSecond / 1e12,
            ["lr"] = Shortest(line.LearningRate),
        };

        // What only some runs measure or have to tell.
        if (untold.Count > 0)
        {
            step["notes"] = new JsonArray([.. untold]);
            untold.Clear();
        }

        if (validation is not null)
        {
            step["validation"] = validation;
            validation = null;
        }

        if (line.Step.GradientNorm is { } norm)
        {
            step["gradient_norm"] = Number(norm);
        }

        if (line.Step.Preferences is { } pairs)
        {
            step["preferences"] = Preferences(pairs);
        }

        if (line.Step.Skipped is { } skipped)
        {
            step["skipped"] = $"{skipped}";
        }

        if (line.Groups is { } groups)
        {
            step["groups"] = new JsonArray([.. groups.Select(Group)]);
        }

        if (line.Rollback is { } rollback)
        {
            step["rollback"] = new JsonObject
            {
                ["to_step"] = rollback.To,
                ["limit"] = rollback.Limit,
                ["times"] = rollback.Times,
            };
        }

        if (line.Validation is { } held)
        {
            step["validation_loss"] = held.Loss;
            step["validation_seconds"] = held.Seconds;
            if (held.Preferences is { } measured)
            {
                step["validation_preferences"] = Preferences(measured);
            }
        }

        if (line.PredictedSeconds is { } predicted)
        {
            step["predicted_seconds"] = predicted;
            step["predicted_tok_per_sec"] = line.PredictedTokensPerSecond;
        }

        if (line.Sample is { } sample)
        {
            step["busy"] = Shares(sample.Streams);
            step["process_bytes"] = sample.Process.Value;
            step["device_taken_bytes"] = sample.Device?.Value;
            step["experts"] = sample.Experts.Count == 0 ? null : new JsonArray([.. sample.Experts.Select(Spread)]);
        }

        return step;
    }

    private static JsonObject Preferences(PreferenceReport pairs) =>
        new()
        {
            ["pairs"] = pairs.Pairs,
            ["reward_chosen"] = Number(pairs.RewardChosen),
            ["reward_rejected"] = Number(pairs.RewardRejected),
            ["margin"] = Number(pairs.Margin),
            ["accuracy"] = Number(pairs.Accuracy),
            ["logp_chosen"] = Number(pairs.LogChosen),
            ["logp_rejected"] = Number(pairs.LogRejected),
        };

    /// <summary>How busy each stream is, by its name.</summary>
    internal static JsonObject Shares(IEnumerable<StreamShare> shares) =>
        new(shares.Select(s => KeyValuePair.Create<string, JsonNode?>(s.Stream, Math.Round(s.Busy, 4))));

    private static JsonNode Spread(ExpertSpread layer) =>
        new JsonObject
        {
            ["layer"] = layer.Layer,
            ["most"] = Math.Round(layer.Most, 4),
            ["least"] = Math.Round(layer.Least, 4),
            ["unused"] = layer.Unused,
        };

    private static JsonNode Group(GroupNumbers numbers) =>
        new JsonObject
        {
            ["group"] = numbers.Group,
            ["gradient_norm"] = Number(numbers.GradientNorm),
            ["update_ratio"] = Number(numbers.UpdateRatio),
        };

    // JSON has no others.
    private static double? Number(double value) => double.IsFinite(value) ? value : null;

    private static JsonObject Finished(RunSummary summary) =>
        new()
        {
            ["steps"] = summary.Steps,
            ["skipped_steps"] = summary.Skipped,
            ["rollbacks"] = summary.Rollbacks,
            ["first_loss"] = Number(summary.FirstLoss),
            ["last_loss"] = Number(summary.LastLoss),
            ["tokens"] = summary.Tokens,
            ["seconds"] = summary.Seconds,
            ["all_steps"] = summary.AllSteps,
            ["all_tokens"] = summary.AllTokens,
            ["all_seconds"] = summary.AllSeconds,
            ["mean_tok_per_sec"] = summary.TokensPerSecond,
            ["mean_tflops"] = summary.Flops / summary.Seconds / 1e12,
            ["predicted_step_seconds"] = summary.Predicted?.Seconds,
            ["measured_step_seconds"] = summary.MeasuredSeconds > 0 ? summary.MeasuredSeconds : null,
            ["measured_per_predicted"] = summary is { Predicted: { } prediction, MeasuredSeconds: > 0 and var measured }
                ? measured / prediction.Seconds
                : null,
            ["hardware"] = summary.Predicted?.Machine.Name,
            ["taken_by_others"] = summary.Predicted?.TakenByOthers,
            ["standing"] = summary.Predicted is { } by ? Standing.Of(by.Machine, summary.Plan.Workload.Model).Text : null,
            ["device_peak_bytes"] = summary.Plan.DevicePeak.Value,
            ["device_taken_bytes"] = summary.DeviceTaken?.Value,
            ["device_budget_bytes"] = summary.Plan.Budget.Device.Value,
            ["host_peak_bytes"] = summary.Plan.HostPeak.Value,
            ["host_budget_bytes"] = summary.Plan.Budget.Host.Value,
            ["process_peak_bytes"] = ProcessMemory.Peak()?.Value,
            ["model_state_bytes"] = Plans.ModelState(summary.Plan).Value,
            ["copies_per_step"] = PlanJson.Copies(summary.Plan.Traffic),
            ["recomputed_per_step"] = PlanJson.Recomputed(summary.Plan.Traffic),
            ["plan_hash"] = summary.Plan.Hash,
            ["checkpoints"] = Saves(summary.Saves),
            ["exported"] = summary.Exported,
            ["compute_parts"] = Parts(summary, summary.Traced),
            ["predicted_compute_parts"] = Parts(summary, summary.Traced is null ? null : summary.Predicted?.Timeline),
            ["trace"] = summary.Trace,
            ["page"] = summary.Page,
        };

    private static JsonArray? Parts(RunSummary summary, Timeline? timeline) =>
        timeline is null ? null : PartTimesText.Json(summary.Plan.Workload.Model, summary.Plan.Schedule, timeline);

    private static JsonObject? Saves(SavesDone? done) =>
        done is null
            ? null
            : new JsonObject
            {
                ["saved"] = done.Seconds.Count,
                ["failed"] = done.Failed,
                ["newest"] = done.Newest?.Checkpoint.Folder,
                ["bytes"] = done.Plan.Each.Value,
                ["predicted_seconds"] = done.Plan.Seconds,
                ["measured_seconds"] = done.Seconds.Count > 0 ? done.MedianSeconds : null,
                ["waited_seconds"] = done.Waited,
            };

    // The double that prints as the float does.
    private static double Shortest(float value) =>
        double.Parse(value.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}
