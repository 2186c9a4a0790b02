using System.Diagnostics;
using System.Text;
using Dataflow.Model;
using Dataflow.Reports;
using Dataflow.Reports.Pages;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Simulation;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// The steps of a run that --trace and --page ask for: measured on the device, kept, and written at the end as one trace, and the last as a
/// page.
/// </summary>
internal sealed class StepTrace : IDisposable
{
    private readonly ITimedDevice device;
    private readonly Schedule schedule;
    private readonly AtomicFile? trace;
    private readonly AtomicFile? page;
    private readonly int[] wanted;
    private readonly long origin = Stopwatch.GetTimestamp();
    private readonly List<TracedStep> steps = [];
    private long begun;

    private StepTrace(ITimedDevice device, Schedule schedule, AtomicFile? trace, AtomicFile? page, int[] wanted) =>
        (this.device, this.schedule, this.trace, this.page, this.wanted) = (device, schedule, trace, page, wanted);

    /// <summary>What the settings ask for; null if nothing. A file that cannot be written is refused here, before anything runs.</summary>
    /// <exception cref="UserErrorException">The device measures no steps, or the file cannot be made.</exception>
    public static StepTrace? Open(TrainingOptions settings, IDevice device, Schedule schedule, int firstStep)
    {
        if (settings is { Trace: null, Page: null })
        {
            return null;
        }

        if (device is not ITimedDevice timed)
        {
            throw new UserErrorException(
                "--interleaving runs one op at a time in an order of its own, which a timeline says nothing about; leave out --trace and "
                    + "--page, or --interleaving"
            );
        }

        // The first step finds cold caches: the two after it, or all that a shorter run has.
        int last = settings.Steps;
        int[] wanted = settings.TraceSteps is { Count: > 0 } named
            ? [.. named]
            : [.. Enumerable.Range(Math.Min(firstStep + 1, last), 2).Where(s => s <= last)];
        return wanted.FirstOrDefault(s => s < firstStep || s > last) is var outside and > 0
            ? throw new UserErrorException($"--trace-steps names step {outside}, and this run has steps {firstStep} to {last}")
            : Create(settings, timed, schedule, wanted);
    }

    /// <summary>Steps that were measured.</summary>
    public int Count => steps.Count;

    /// <summary>Before a step.</summary>
    public void Before(int step)
    {
        if (wanted.Contains(step))
        {
            device.MeasureNextStep();
            begun = Stopwatch.GetTimestamp();
        }
    }

    /// <summary>After it.</summary>
    public void After(int step)
    {
        if (wanted.Contains(step))
        {
            steps.Add(new TracedStep(step, device.MeasuredStep(), (long)Stopwatch.GetElapsedTime(origin, begun).TotalNanoseconds));
        }
    }

    /// <summary>The last of them; there is one.</summary>
    public Timeline Last => steps[^1].Timeline;

    /// <summary>Writes the trace, if that was asked for, with the prediction beside the measured steps if there is one.</summary>
    public void WriteTrace(Prediction? prediction)
    {
        if (trace is null)
        {
            return;
        }

        using var text = new MemoryStream();
        var measured = new TracedRun($"measured on {device.Name}", schedule, [.. steps]);
        TimelineTrace.Write(
            text,
            prediction is null
                ? [measured]
                :
                [
                    measured,
                    new TracedRun(
                        $"predicted for {prediction.Machine.Name}",
                        schedule,
                        [.. steps.Select(s => s with { Timeline = prediction.Timeline })]
                    ),
                ]
        );
        trace.Write(text.GetBuffer().AsSpan(0, (int)text.Length));
        trace.Commit();
    }

    /// <summary>Writes the page of the last measured step, if that was asked for, below its prediction if there is one.</summary>
    /// <param name="title">Heads the page.</param>
    /// <param name="prediction">The simulator's.</param>
    public void WritePage(string title, Prediction? prediction)
    {
        if (page is null)
        {
            return;
        }

        var (number, timeline, _) = steps[^1];
        var measured = new ShownStep($"step {number} on {device.Name}", ResultSource.Measured, timeline);
        page.Write(
            Encoding.UTF8.GetBytes(
                TimelinePage.Of(
                    title,
                    schedule,
                    prediction is null
                        ? [measured]
                        :
                        [
                            new ShownStep(
                                $"for {prediction.Machine.Name}, with {Standing.Of(prediction.Machine).Text}",
                                ResultSource.Simulated,
                                prediction.Timeline
                            ),
                            measured,
                        ]
                )
            )
        );
        page.Commit();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        trace?.Dispose();
        page?.Dispose();
    }

    private static StepTrace Create(TrainingOptions settings, ITimedDevice device, Schedule schedule, int[] wanted)
    {
        var trace = settings.Trace is { } file ? AtomicFile.Create(file) : null;
        try
        {
            return new StepTrace(device, schedule, trace, settings.Page is { } page ? AtomicFile.Create(page) : null, wanted);
        }
        catch
        {
            trace?.Dispose();
            throw;
        }
    }
}
