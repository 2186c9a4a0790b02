using System.Diagnostics;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>The steps of a run that --trace asks for: measured on the device, kept, and written as one trace at the end.</summary>
internal sealed class StepTrace : IDisposable
{
    private readonly ITimedDevice device;
    private readonly Schedule schedule;
    private readonly AtomicFile file;
    private readonly int[] wanted;
    private readonly long origin = Stopwatch.GetTimestamp();
    private readonly List<TracedStep> steps = [];
    private long begun;

    private StepTrace(ITimedDevice device, Schedule schedule, AtomicFile file, int[] wanted) =>
        (this.device, this.schedule, this.file, this.wanted) = (device, schedule, file, wanted);

    /// <summary>What the settings ask for; null if nothing. A file that cannot be written is refused here, before anything runs.</summary>
    /// <exception cref="UserErrorException">The device measures no steps, or the file cannot be made.</exception>
    public static StepTrace? Open(TrainingSettings settings, IDevice device, Schedule schedule, int firstStep)
    {
        if (settings.Trace is not { } trace)
        {
            return null;
        }

        if (device is not ITimedDevice timed)
        {
            throw new UserErrorException("--interleaving runs one op at a time in an order of its own, which a trace says nothing about; leave out --trace or --interleaving");
        }

        // The first step finds cold caches: the two after it, or all that a shorter run has.
        int last = settings.Steps;
        int[] wanted = trace.Steps is { Length: > 0 } named ? named : [.. Enumerable.Range(Math.Min(firstStep + 1, last), 2).Where(s => s <= last)];
        return wanted.FirstOrDefault(s => s < firstStep || s > last) is var outside and > 0
            ? throw new UserErrorException($"--trace-steps names step {outside}, and this run has steps {firstStep} to {last}")
            : new StepTrace(timed, schedule, AtomicFile.Create(trace.Path), wanted);
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

    /// <summary>Writes the file, with the prediction beside the measured steps if there is one.</summary>
    /// <returns>Its name.</returns>
    public string Write(Prediction? prediction)
    {
        using var text = new MemoryStream();
        var measured = new TracedRun($"measured on {device.Name}", schedule, [.. steps]);
        TimelineTrace.Write(text, prediction is null
            ? [measured]
            : [measured, new TracedRun($"predicted for {prediction.Machine.Name}", schedule, [.. steps.Select(s => s with { Timeline = prediction.Timeline })])]);
        file.Write(text.GetBuffer().AsSpan(0, (int)text.Length));
        file.Commit();
        return file.Path;
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
