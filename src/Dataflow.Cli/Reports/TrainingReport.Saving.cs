namespace Dataflow.Cli;

/// <content>What becomes of checkpoints, and what a resumed run has otherwise.</content>
internal sealed partial class TrainingReport
{
    private void Saving(SavePlan plan, double? step, RunData? data)
    {
        var settings = plan.Settings;
        string when = settings.Every > 0 ? $"every {settings.Every} steps and at the end" : "at the end";
        output.WriteLine(
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

    private void Changed(SettingChange change) =>
        output.WriteLine($"Changed: {change.Name} {change.From ?? "none"} -> {change.To ?? "none"}");

    private void Saved(SavedStep saved) =>
        output.WriteLine(
            $"saved step {saved.Step} in {saved.Folder} ({saved.Checkpoint.Size}, {saved.Seconds:0.0} "
                + $"s){(saved.Checkpoint.IsFinite ? "" : ", with values that are not finite: it is not resumed from")}"
        );

    private void SaveFailed(int step, string why) => output.WriteLine($"step {step} was not saved: {why}");

    private void WriteSaves(SavesDone? done)
    {
        if (done is { Newest: { } newest })
        {
            output.WriteLine(
                $"Checkpoints: {done.Seconds.Count} saved, the newest {newest.Checkpoint.Folder}; {newest.Checkpoint.Size} each, "
                    + $"predicted {done.Plan.Seconds:0.0} s, measured {done.MedianSeconds:0.0} s; training waited {done.Waited:0.0} "
                    + $"s for them"
                    + (done.Failed > 0 ? $"; {done.Failed} could not be saved" : "")
            );
        }
        else if (done is { Failed: > 0 })
        {
            output.WriteLine($"Checkpoints: none saved, {done.Failed} failed");
        }
    }
}
