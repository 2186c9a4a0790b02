using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Dataflow.Cli;

/// <content>What becomes of checkpoints, what a resumed run has otherwise, and signals.</content>
internal abstract partial class TrainingReport
{
    /// <summary>What is going to be saved, and what that takes.</summary>
    /// <param name="plan">Of the saves.</param>
    /// <param name="step">Predicted seconds of a step; null where nothing is predicted.</param>
    /// <param name="data">What the run learns from.</param>
    protected abstract void Saving(SavePlan plan, double? step, RunData? data);

    /// <summary>A setting is another one than the saved run had.</summary>
    protected abstract void Changed(SettingChange change);

    /// <summary>A checkpoint is complete.</summary>
    protected abstract void Saved(SavedStep saved);

    /// <summary>A checkpoint could not be written.</summary>
    protected abstract void SaveFailed(int step, string why);

    /// <summary>A signal ended the run before its last step.</summary>
    protected abstract void Interrupted(PosixSignal signal, int step, int steps);

    /// <summary>The middle one of several; 0 of none.</summary>
    private static double Median(IReadOnlyList<double> seconds) => seconds.Count == 0 ? 0 : seconds.Order().ElementAt(seconds.Count / 2);

    private sealed partial class Lines
    {
        protected override void Saving(SavePlan plan, double? step, RunData? data)
        {
            var settings = plan.Settings;
            string when = settings.Every > 0 ? $"every {settings.Every} steps and at the end" : "at the end";
            Output.WriteLine(
                $"Checkpoints: in {settings.Folder} {when}, the newest {settings.Keep} are kept; {plan.Each} each, {plan.Seconds:0.0} s "
                    + $"by the {plan.BytesPerSecond / 1e6:0} MB/s that the disk took just now; "
                    + (
                        plan.Snapshot is { } copy
                            ? $"training goes on meanwhile, for which a copy takes {copy} of host memory beyond the budget"
                            : "training waits for them, as host memory has no room for a copy"
                    )
            );
            if (plan.BeyondGrace(step) is { } late)
            {
                Noted([late]);
            }

            if (data is { Fingerprint.IsSampled: true })
            {
                Noted([
                    $"{data.Path} is known by its length and {Training.DataFingerprint.Blocks} blocks of it; a change elsewhere in it "
                        + $"would not be seen when this run is resumed",
                ]);
            }
        }

        protected override void Changed(SettingChange change) =>
            Output.WriteLine($"Changed: {change.Name} {change.From ?? "none"} -> {change.To ?? "none"}");

        protected override void Saved(SavedStep saved) =>
            Output.WriteLine(
                $"saved step {saved.Step} in {saved.Folder} ({saved.Checkpoint.Size}, {saved.Seconds:0.0} "
                    + $"s){(saved.Checkpoint.IsFinite ? "" : ", with values that are not finite: it is not resumed from")}"
            );

        protected override void SaveFailed(int step, string why) => Output.WriteLine($"step {step} was not saved: {why}");

        protected override void Interrupted(PosixSignal signal, int step, int steps) =>
            Output.WriteLine($"interrupted by {Interruption.NameOf(signal)} after step {step} of {steps}");

        private void WriteSaves(SavesDone? done)
        {
            if (done is { Newest: { } newest })
            {
                Output.WriteLine(
                    $"Checkpoints: {done.Seconds.Count} saved, the newest {newest.Checkpoint.Folder}; {newest.Checkpoint.Size} each, "
                        + $"predicted {done.Plan.Seconds:0.0} s, measured {Median(done.Seconds):0.0} s; training waited {done.Waited:0.0} "
                        + $"s for them"
                        + (done.Failed > 0 ? $"; {done.Failed} could not be saved" : "")
                );
            }
            else if (done is { Failed: > 0 })
            {
                Output.WriteLine($"Checkpoints: none saved, {done.Failed} failed");
            }
        }
    }

    private sealed partial class JsonLines
    {
        protected override void Saving(SavePlan plan, double? step, RunData? data)
        {
            Write("checkpoints", new JsonObject
            {
                ["folder"] = plan.Settings.Folder,
                ["every"] = plan.Settings.Every,
                ["keep"] = plan.Settings.Keep,
                ["bytes"] = plan.Each.Value,
                ["predicted_seconds"] = plan.Seconds,
                ["snapshot_bytes"] = plan.Snapshot?.Value,
                ["beyond_grace"] = plan.BeyondGrace(step),
                ["data_sampled"] = data?.Fingerprint.IsSampled,
            });
        }

        protected override void Changed(SettingChange change) =>
            Write(
                "changed",
                new JsonObject
                {
                    ["setting"] = change.Name,
                    ["from"] = change.From,
                    ["to"] = change.To,
                }
            );

        protected override void Saved(SavedStep saved) =>
            Write(
                "saved",
                new JsonObject
                {
                    ["step"] = saved.Step,
                    ["folder"] = saved.Folder,
                    ["checkpoint"] = saved.Checkpoint.Folder,
                    ["bytes"] = saved.Checkpoint.Size.Value,
                    ["seconds"] = saved.Seconds,
                    ["finite"] = saved.Checkpoint.IsFinite,
                }
            );

        protected override void SaveFailed(int step, string why) =>
            Write("save_failed", new JsonObject { ["step"] = step, ["message"] = why });

        protected override void Interrupted(PosixSignal signal, int step, int steps) =>
            Write(
                "interrupted",
                new JsonObject
                {
                    ["signal"] = Interruption.NameOf(signal),
                    ["step"] = step,
                    ["steps"] = steps,
                    ["exit_code"] = (int)Interruption.CodeOf(signal),
                }
            );

        private static JsonObject? SavesJson(SavesDone? done) =>
            done is null
                ? null
                : new JsonObject
                {
                    ["saved"] = done.Seconds.Count,
                    ["failed"] = done.Failed,
                    ["newest"] = done.Newest?.Checkpoint.Folder,
                    ["bytes"] = done.Plan.Each.Value,
                    ["predicted_seconds"] = done.Plan.Seconds,
                    ["measured_seconds"] = done.Seconds.Count > 0 ? Median(done.Seconds) : null,
                    ["waited_seconds"] = done.Waited,
                };
    }
}
