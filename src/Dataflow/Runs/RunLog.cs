using Dataflow.Planning;
using Microsoft.Extensions.Logging;

namespace Dataflow;

/// <summary>Writes the events of a run to a logger.</summary>
internal static partial class RunLog
{
    /// <summary>Writes one.</summary>
    public static void Write(ILogger logger, RunEvent happened)
    {
        switch (happened)
        {
            case RunEvent.Opened opened:
                Noted(logger, opened.Notes);
                break;
            case RunEvent.Noted noted:
                Noted(logger, noted.Notes);
                break;
            case RunEvent.Warned warned:
                Warning(logger, warned.Warning);
                break;
            case RunEvent.Planned { Result: PlanResult.Feasible { Plan: var plan } }:
                Planned(logger, plan.DevicePeak.Value, plan.HostPeak.Value, plan.Hash);
                break;
            case RunEvent.Starting starting:
                Starting(logger, starting.Device, starting.Data, starting.Weights);
                break;
            case RunEvent.Predicted { Prediction: { } prediction }:
                Predicted(logger, prediction.Seconds, prediction.Machine.Name);
                break;
            case RunEvent.Validating validating:
                Note(logger, $"validation: {validating.What}");
                break;
            case RunEvent.Changed { Change: var change }:
                Changed(logger, change.Name, change.From, change.To);
                break;
            case RunEvent.Stepped { Step: { Step.Skipped: { } why } skipped }:
                Skipped(logger, skipped.Step.Step, $"{why}");
                break;
            case RunEvent.Stepped { Step.Rollback: { } rollback }:
                RolledBack(logger, rollback.Step, rollback.Loss, rollback.Limit, rollback.To);
                break;
            case RunEvent.Stepped { Step.Step: var step }:
                Stepped(logger, step.Step, step.Loss, step.TokensPerSecond, step.Duration.TotalSeconds);
                break;
            case RunEvent.Saved { Step: var saved }:
                Saved(logger, saved.Step, saved.Folder, saved.Seconds);
                break;
            case RunEvent.SaveFailed failed:
                SaveFailed(logger, failed.Step, failed.Why);
                break;
            case RunEvent.Interrupted interrupted:
                Interrupted(logger, interrupted.Step, interrupted.Steps);
                break;
            case RunEvent.Finished { Summary: var summary }:
                Finished(logger, summary.AllSteps, summary.LastLoss, summary.TokensPerSecond);
                break;
            case RunEvent.Failed failed:
                Failed(logger, failed.What);
                break;
        }
    }

    private static void Noted(ILogger logger, IReadOnlyList<string> notes)
    {
        foreach (string note in notes)
        {
            Note(logger, note);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "{Note}")]
    private static partial void Note(ILogger logger, string note);

    [LoggerMessage(2, LogLevel.Warning, "{Warning}")]
    private static partial void Warning(ILogger logger, string warning);

    [LoggerMessage(3, LogLevel.Information, "planned: {DeviceBytes} bytes of device and {HostBytes} of host memory, plan {Hash}")]
    private static partial void Planned(ILogger logger, long deviceBytes, long hostBytes, string hash);

    [LoggerMessage(4, LogLevel.Information, "training on {Device}, data {Data}, weights {Weights}")]
    private static partial void Starting(ILogger logger, string device, string data, string weights);

    [LoggerMessage(5, LogLevel.Information, "predicted: {Seconds} s a step on {Machine}")]
    private static partial void Predicted(ILogger logger, double seconds, string machine);

    [LoggerMessage(6, LogLevel.Information, "changed: {Setting} {From} -> {To}")]
    private static partial void Changed(ILogger logger, string setting, string? from, string? to);

    [LoggerMessage(7, LogLevel.Debug, "step {Step}: loss {Loss}, {TokensPerSecond} tok/s, {Seconds} s")]
    private static partial void Stepped(ILogger logger, int step, double loss, double tokensPerSecond, double seconds);

    [LoggerMessage(8, LogLevel.Information, "saved step {Step} in {Folder} in {Seconds} s")]
    private static partial void Saved(ILogger logger, int step, string folder, double seconds);

    [LoggerMessage(9, LogLevel.Error, "step {Step} was not saved: {Why}")]
    private static partial void SaveFailed(ILogger logger, int step, string why);

    [LoggerMessage(10, LogLevel.Information, "interrupted after step {Step} of {Steps}")]
    private static partial void Interrupted(ILogger logger, int step, int steps);

    [LoggerMessage(11, LogLevel.Information, "finished: {Steps} steps, loss {Loss}, {TokensPerSecond} tok/s")]
    private static partial void Finished(ILogger logger, int steps, double loss, double tokensPerSecond);

    [LoggerMessage(12, LogLevel.Error, "{What}")]
    private static partial void Failed(ILogger logger, string what);

    [LoggerMessage(13, LogLevel.Warning, "step {Step} was skipped: {Why}")]
    private static partial void Skipped(ILogger logger, int step, string why);

    [LoggerMessage(14, LogLevel.Warning, "step {Step}: loss {Loss} is above {Limit}; back to step {To}")]
    private static partial void RolledBack(ILogger logger, int step, double loss, double limit, int to);
}
