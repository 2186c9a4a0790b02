using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Formats.TensorBoard;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// Writes a run's figures into its folder as it tells of them. A disk that takes no more ends the figures, not the run.
/// </summary>
internal sealed class RunMetrics : IDisposable
{
    private readonly MetricsFile file;
    private readonly EventFile? events;
    private readonly Action<RunEvent> tell;
    private readonly RunJson lines = new();
    private bool lost;

    private RunMetrics(MetricsFile file, EventFile? events, Action<RunEvent> tell) =>
        (this.file, this.events, this.tell) = (file, events, tell);

    /// <summary>Refuses what cannot act in a run.</summary>
    /// <exception cref="UserErrorException">Something that it needs was not given.</exception>
    public static void Check(TrainingOptions settings)
    {
        if (settings is { TensorBoard: true, Checkpoint: null })
        {
            throw new UserErrorException("--tensorboard writes into the run's folder, and this run has none; give --checkpoint DIR too");
        }

        if (settings is { Histograms: > 0, TensorBoard: false })
        {
            throw new UserErrorException("--histograms does nothing without --tensorboard; give that too, or leave it out");
        }

        if (settings is { Histograms: > 0, Plan.Clip: null })
        {
            throw new UserErrorException(
                "--histograms needs --clip, whose steps know all gradients before the first update; give --clip 1, or --clip 1e30, "
                    + "which clips nothing"
            );
        }
    }

    /// <summary>What looks at weights and gradients, and every how many steps; null where nobody asked for it.</summary>
    public static (GroupHistograms Of, int Every)? ValuesOf(TrainingOptions settings, Trainer trainer, IDevice device) =>
        settings.Histograms > 0 && device is IInspectableDevice shown ? (new GroupHistograms(trainer, shown), settings.Histograms) : null;

    /// <summary>Begins with a run's figures or goes on with them; null where it has no folder.</summary>
    /// <param name="settings">As they are in effect.</param>
    /// <param name="step">The last step that was taken, or 0.</param>
    /// <param name="begins">Says what runs.</param>
    /// <param name="changes">What is otherwise than in the run that is gone on with.</param>
    /// <param name="tell">Told where figures cannot be written.</param>
    /// <exception cref="UserErrorException">They cannot be written.</exception>
    public static RunMetrics? Open(
        TrainingOptions settings, int step, JsonObject begins, IEnumerable<SettingChange> changes, Action<RunEvent> tell)
    {
        if (settings.Checkpoint is not { } folder)
        {
            return null;
        }

        var metrics = new RunMetrics(
            MetricsFile.Open(folder, step, settings.Resumed?.Folder),
            settings.TensorBoard ? EventFile.Create(folder, Now, step + 1) : null,
            tell
        );
        metrics.Write(Of("run", step, begins));
        foreach (var change in changes)
        {
            metrics.Write(Of("changed", step, new JsonObject
            {
                ["setting"] = change.Name, ["from"] = change.From, ["to"] = change.To,
            }));
        }

        return metrics;
    }

    /// <summary>Writes what belongs to the figures.</summary>
    public void Take(RunEvent happened)
    {
        switch (happened)
        {
            case RunEvent.Stepped { Step: { Rollback: { } back } }:
                Guard(() => file.KeepUntil(back.To));
                Guard(() => events?.Restart(Now, back.To + 1));
                Write(Of("rollback", back.To, new JsonObject
                {
                    ["from_step"] = back.Step, ["loss"] = back.Loss, ["limit"] = back.Limit, ["times"] = back.Times,
                }));
                break;
            case RunEvent.Stepped or RunEvent.Saved or RunEvent.SaveFailed or RunEvent.Interrupted or RunEvent.Finished:
                var line = lines.Of(happened)!;
                line["time"] = Now;
                Write(line);
                Show(happened);
                break;
        }
    }

    /// <summary>The steps ended by a failure.</summary>
    public void Fail(int step, Exception fault) =>
        Write(Of("failed", step, new JsonObject { ["message"] = Failures.Sentences(fault)[0] }));

    /// <inheritdoc/>
    public void Dispose()
    {
        file.Dispose();
        events?.Dispose();
    }

    private static double Now => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1e3;

    private static JsonObject Of(string kind, int step, JsonObject fields)
    {
        fields.Insert(0, "event", kind);
        fields.Insert(1, "step", step);
        fields["time"] = Now;
        return fields;
    }

    private void Show(RunEvent happened)
    {
        if (events is not null && happened is RunEvent.Stepped { Step: var line })
        {
            Guard(() => events.Add(Now, line.Step.Step, RunScalars.Of(line), RunScalars.Spread(line)));
        }
    }

    private void Write(JsonObject line) => Guard(() => file.Append(line.ToJsonString()));

    private void Guard(Action write)
    {
        if (lost)
        {
            return;
        }

        try
        {
            write();
        }
        catch (UserErrorException e)
        {
            lost = true;
            tell(new RunEvent.Warned($"{e.Message}; training goes on without these figures"));
        }
    }
}
