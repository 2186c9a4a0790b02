using System.Diagnostics;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cpu;

/// <summary>
/// What a clock shows at the start and the end of each op of the steps that are to be measured. Each op writes its own two numbers.
/// </summary>
/// <param name="schedule">Whose ops are timed.</param>
/// <param name="clock">Nanoseconds from any origin.</param>
internal sealed class StepStopwatch(Schedule schedule, Func<long> clock)
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
        begin = clock();
    }

    /// <summary>An op begins, on its stream's thread.</summary>
    public void Started(int op)
    {
        if (measuring)
        {
            starts[op] = clock();
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
            long now = clock();
            kernels.Add(new KernelTime(op, call, now - lastCall));
            lastCall = now;
        }
    }

    /// <summary>It has ended.</summary>
    public void Ended(int op)
    {
        if (measuring)
        {
            ends[op] = clock();
        }
    }

    /// <summary>All ops have ended.</summary>
    public void EndStep()
    {
        if (measuring)
        {
            step = clock() - begin;
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
            schedule, [.. starts.Select(t => t - first)], [.. ends.Select(t => t - first)], step);
    }

    private bool IsCompute(int op) => schedule.Ops[op].Kind is not (OpKind.Fetch or OpKind.Save);

    /// <summary>The machine's own clock.</summary>
    public static long SystemClock() => (long)(Stopwatch.GetTimestamp() * (NanosecondsPerSecond / Stopwatch.Frequency));
}
