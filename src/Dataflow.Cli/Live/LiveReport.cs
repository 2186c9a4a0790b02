using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Dataflow.Cli;

/// <summary>
/// Tells a person at a terminal of a training run: the report as it always is, but for its steps, which are figures that stay in their
/// place; of steps that say something besides, the line too.
/// </summary>
internal sealed class LiveReport : IDisposable
{
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(100);
    private readonly LiveFigures figures = new();
    private readonly TrainingReport report;
    private readonly LiveRegion region;
    private readonly PosixSignalRegistration? resized;
    private readonly Lock gate = new();
    private long drawn;

    /// <param name="kind">What the terminal can show.</param>
    /// <param name="output">Where the report goes.</param>
    /// <param name="interruption">Says which signal ended the run.</param>
    public LiveReport(TerminalKind kind, TextWriter output, Interruption interruption)
    {
        report = new TrainingReport(output, interruption);
        region = new LiveRegion(
            new GuardedOutput(Console.OpenStandardOutput()),
            () => Console.WindowWidth,
            columns =>
            {
                lock (gate)
                {
                    return [.. LiveView.Lines(figures, kind, columns).Take(Math.Max(1, Console.WindowHeight - 1))];
                }
            }
        );
        resized = OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ => region.Draw());
    }

    /// <summary>Tells of an event.</summary>
    public void Take(RunEvent happened)
    {
        lock (gate)
        {
            figures.Take(happened);
        }

        switch (happened)
        {
            case RunEvent.Finished:
                region.Dispose();
                report.Take(happened);
                break;
            case RunEvent.Stepped { Step: var line } when !SaysMore(line):
                if (Stopwatch.GetElapsedTime(drawn) >= s_between || line.Step.Step == line.Steps)
                {
                    drawn = Stopwatch.GetTimestamp();
                    region.Draw();
                }

                break;
            default:
                region.Print(() => report.Take(happened));
                break;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        resized?.Dispose();
        region.Dispose();
    }

    private static bool SaysMore(StepResult line) =>
        line.Step.Step == 1 || line.Step.Step == line.Steps || line.Step.Skipped is not null || line.Validation is not null
            || line.Groups is not null || line.Rollback is not null;
}
