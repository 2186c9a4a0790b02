using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda;

/// <summary>
/// A pair of timed events around each op of the steps that are to be measured. They are recorded on the op's own stream and read after
/// the step, so that a measured step launches as ahead as any other. Made when a step is first asked for, between steps.
/// </summary>
internal sealed class StepEvents(Schedule schedule, CudaContext context) : IDisposable
{
    private const double NanosecondsPerMillisecond = 1e6;
    private CudaEvent[] starts = [];
    private CudaEvent[] ends = [];
    private readonly List<(int Op, KernelCall Call)> calls = [];
    private readonly List<CudaEvent> afterCalls = [];
    private StepDetail detail;
    private int runs;
    private CudaEvent? begin;
    private bool wanted;
    private bool measured;

    /// <summary>The step that runs is measured.</summary>
    public bool IsOn { get; private set; }

    /// <summary>The next step is measured.</summary>
    public void MeasureNextStep(StepDetail closely)
    {
        (wanted, detail) = (true, closely);
        calls.Clear();
        if (begin is null)
        {
            begin = CudaEvent.Create(context, EventTiming.On);
            starts = [.. schedule.Ops.Select(_ => CudaEvent.Create(context, EventTiming.On))];
            ends = [.. schedule.Ops.Select(_ => CudaEvent.Create(context, EventTiming.On))];
        }
    }

    /// <summary>A step begins: what comes later on the stream belongs to it.</summary>
    public void BeginStep(CudaStream stream)
    {
        (IsOn, wanted) = (wanted, false);
        if (IsOn)
        {
            measured = true;
            stream.Record(begin!);
        }
    }

    /// <summary>Before an op's launches, behind the waits of its stream.</summary>
    public void Started(int op, CudaStream stream)
    {
        if (IsOn)
        {
            runs = op;
            stream.Record(starts[op]);
        }
    }

    /// <summary>Behind a kernel of the op that is being launched. Events for kernels are made as they are first needed.</summary>
    public void CallLaunched(KernelCall call, CudaStream stream)
    {
        if (IsOn && detail == StepDetail.Kernels)
        {
            if (calls.Count == afterCalls.Count)
            {
                afterCalls.Add(CudaEvent.Create(context, EventTiming.On));
            }

            stream.Record(afterCalls[calls.Count]);
            calls.Add((runs, call));
        }
    }

    /// <summary>Behind an op's launches.</summary>
    public void Ended(int op, CudaStream stream)
    {
        if (IsOn)
        {
            stream.Record(ends[op]);
        }
    }

    /// <summary>Its kernels.</summary>
    public IReadOnlyList<KernelTime> Kernels()
    {
        var times = new KernelTime[calls.Count];
        for (int i = 0; i < times.Length; i++)
        {
            var before = i > 0 && calls[i - 1].Op == calls[i].Op ? afterCalls[i - 1] : starts[calls[i].Op];
            times[i] = new KernelTime(schedule.Ops[calls[i].Op], calls[i].Call, Nanoseconds(afterCalls[i].MillisecondsSince(before)));
        }

        return times;
    }

    /// <summary>The step that was measured last. It ends with its last op.</summary>
    public Timeline MeasuredStep()
    {
        if (!measured || wanted)
        {
            throw new InvalidOperationException("no step was measured");
        }

        long[] from = new long[starts.Length], to = new long[starts.Length];
        for (int i = 0; i < from.Length; i++)
        {
            // Times of events are single precision: an op's own time is read from its own pair.
            from[i] = Nanoseconds(starts[i].MillisecondsSince(begin!));
            to[i] = from[i] + Nanoseconds(ends[i].MillisecondsSince(starts[i]));
        }

        return MeasuredTimeline.Of(schedule, from, to, to.DefaultIfEmpty(0).Max());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        begin?.Dispose();
        foreach (var timed in starts.Concat(ends).Concat(afterCalls))
        {
            timed.Dispose();
        }
    }

    private static long Nanoseconds(float milliseconds) => (long)(milliseconds * NanosecondsPerMillisecond);
}
