using System.Diagnostics;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cpu;

/// <summary>The clock at the start and the end of each op of the steps that are to be measured. Each op writes its own two numbers.</summary>
internal sealed class StepStopwatch(Schedule schedule)
{
    private const double NanosecondsPerSecond = 1e9;
    private long[] starts = [];
    private long[] ends = [];
    private readonly List<KernelTime> kernels = [];
    private long lastCall;
    private StepDetail detail;
    private long begin;
    private long step;
    private bool wanted;
    private bool measuring;

    /// <summary>The next step is measured.</summary>
    public void MeasureNextStep(StepDetail closely)
    {
        (wanted, detail) = (true, closely);
        kernels.Clear();
        if (starts.Length == 0)
        {
            (starts, ends) = (new long[schedule.Ops.Length], new long[schedule.Ops.Length]);
        }
    }

    /// <summary>A step begins.</summary>
    public void BeginStep()
    {
        (measuring, wanted) = (wanted, false);
        begin = Stopwatch.GetTimestamp();
    }

    /// <summary>An op begins, on its stream's thread.</summary>
    public void Started(int op)
    {
        if (measuring)
        {
            starts[op] = Stopwatch.GetTimestamp();
            if (IsCompute(op))
            {
                lastCall = starts[op];
            }
        }
    }

    /// <summary>A kernel of the op's program has run; block programs all run on one stream.</summary>
    public void CallCompleted(ScheduledOp op, KernelCall call, OpOperands operands)
    {
        if (measuring && detail == StepDetail.Kernels)
        {
            long now = Stopwatch.GetTimestamp();
            kernels.Add(new KernelTime(op, call, Nanoseconds(now - lastCall)));
            lastCall = now;
        }
    }

    /// <summary>It has ended.</summary>
    public void Ended(int op)
    {
        if (measuring)
        {
            ends[op] = Stopwatch.GetTimestamp();
        }
    }

    /// <summary>All ops have ended.</summary>
    public void EndStep()
    {
        if (measuring)
        {
            step = Stopwatch.GetTimestamp() - begin;
            measuring = false;
        }
    }

    /// <summary>Its kernels.</summary>
    public IReadOnlyList<KernelTime> Kernels => kernels;

    /// <summary>The step that was measured last.</summary>
    public Timeline MeasuredStep()
    {
        if (step == 0)
        {
            throw new InvalidOperationException("no step was measured");
        }

        long first = begin;
        return MeasuredTimeline.Of(
            schedule, [.. starts.Select(t => Nanoseconds(t - first))], [.. ends.Select(t => Nanoseconds(t - first))], Nanoseconds(step));
    }

    private bool IsCompute(int op) => schedule.Ops[op].Kind is not (OpKind.Fetch or OpKind.Save);

    private static long Nanoseconds(long ticks) => (long)(ticks * (NanosecondsPerSecond / Stopwatch.Frequency));
}
