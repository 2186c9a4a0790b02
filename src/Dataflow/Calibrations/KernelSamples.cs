using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>What stands for all samples of a kernel at a shape.</summary>
public enum SampleStatistic
{
    /// <summary>Their mean.</summary>
    Mean,
    /// <summary>The least of them.</summary>
    Least,
}

/// <summary>
/// What kernels took, by kernel and shape. A rate comes from the mean and not from the best: steps are sums, and what a machine loses
/// now and then (clocks under a power limit, other work) is lost in steps, too.
/// </summary>
public sealed class KernelSamples
{
    private const double MostOfAll = 0.95;

    private readonly Dictionary<
        (Kernel Kernel, double Rows, double Columns, double Depth, double Bytes),
        (double Work, double Seconds, int Count, double Least)
    > all = [];

    /// <summary>Kernels measured so far.</summary>
    public int Count => all.Values.Sum(s => s.Count);

    /// <summary>Adds all kernels of a step that was measured kernel by kernel, and the ops that are one kernel each.</summary>
    public void Add(Schedule schedule, Workload workload, BlockPrograms programs, ITimedDevice device)
    {
        foreach (var time in device.MeasuredKernels())
        {
            var program = OpPrograms.Of(time.Op, programs, workload.Geometry)!;
            var segment = time.Op.Kind is OpKind.Attend or OpKind.AttendBackward ? time.Op.Segment : null;
            Add(
                time.Call.Kernel,
                KernelWork.Of(time.Call, program, workload.Model, workload.Geometry, time.Op.Chunk ?? new Chunk(0), segment),
                time.Nanoseconds
            );
        }

        var works = new OpWork(workload);
        var ops = device.MeasuredStep().Ops;
        for (int i = 0; i < ops.Length; i++)
        {
            if (schedule.Ops[i].Kind is OpKind.Update or OpKind.Norm or OpKind.Zero)
            {
                if (Most(works.Of(schedule.Ops[i])) is { } most)
                {
                    Add(most.Kernel, most.Work, ops[i].Duration);
                }
            }
        }
    }

    /// <summary>The kernel that an op's time goes to, with all of its work; null where it is shared by several.</summary>
    private static KernelRun? Most(ImmutableArray<KernelRun> runs)
    {
        double bytes = runs.Sum(r => r.Work.Bytes);
        var most = runs.GroupBy(r => r.Kernel)
            .Select(g => new KernelRun(g.Key, KernelWork.Memory(g.Sum(r => r.Work.Bytes)), 1))
            .MaxBy(r => r.Work.Bytes);
        return runs.All(r => r.Work.Class == KernelClass.Memory) && most.Work.Bytes >= MostOfAll * bytes ? most : null;
    }

    /// <summary>The best rate of a class at any shape that was measured: FLOPs a second, or bytes.</summary>
    public double Best(KernelClass @class, double launchSeconds) => all
        .Where(s => KernelWork.ClassOf(s.Key.Kernel) == @class)
        .Max(s => s.Value.Work / Alone(s.Value.Seconds / s.Value.Count, launchSeconds));

    /// <summary>The best rate of attention at any shape that was measured, as that of long rows: FLOPs a second.</summary>
    public double LongAttention(KernelClass @class, double launchSeconds) => all
        .Where(s => KernelWork.ClassOf(s.Key.Kernel) == @class)
        .Max(s => s.Value.Work / Alone(s.Value.Seconds / s.Value.Count, launchSeconds) * CostModel.ShortRows(s.Key.Columns));

    /// <summary>The rates.</summary>
    /// <param name="operands">Type of the operands that were measured.</param>
    /// <param name="source">Where the figures come from, as a profile says it.</param>
    /// <param name="launchSeconds">What each launch takes besides: rates are without it.</param>
    /// <param name="statistic">The mean for predictions; the least for a look past a machine that others use.</param>
    public KernelRates Rates(DType operands, string source, double launchSeconds, SampleStatistic statistic = SampleStatistic.Mean) =>
        new(
            operands,
            source,
            all.GroupBy(s => s.Key.Kernel)
                .ToImmutableSortedDictionary(
                    g => g.Key,
                    g =>
                        g.Select(s => new KernelRate(
                                s.Key.Rows,
                                s.Key.Columns,
                                s.Key.Depth,
                                s.Key.Bytes,
                                s.Value.Work
                                    / Alone(
                                        statistic == SampleStatistic.Least ? s.Value.Least : s.Value.Seconds / s.Value.Count,
                                        launchSeconds
                                    )
                            ))
                            .OrderBy(r => r.Rows)
                            .ThenBy(r => r.Columns)
                            .ThenBy(r => r.Depth)
                            .ThenBy(r => r.Bytes)
                            .ToImmutableArray()
                )
        );

    // A kernel that is hardly longer than its launch still takes something.
    private static double Alone(double seconds, double launchSeconds) => Math.Max(seconds - launchSeconds, seconds / 10);

    private void Add(Kernel kernel, in KernelWork work, long nanoseconds)
    {
        bool memory = work.Class == KernelClass.Memory;
        (Kernel, double, double, double, double) key = memory
            ? (kernel, 1, 1, 1, work.Bytes)
            : (kernel, work.Rows, work.Columns, work.Depth, 1);
        // Clocks of devices have steps of up to half a microsecond: what is shorter may seem to take nothing.
        double now = Math.Max(nanoseconds, 1) / 1e9;
        var (_, seconds, count, least) = all.GetValueOrDefault(key, (0, 0, 0, double.PositiveInfinity));
        all[key] = (memory ? work.Bytes : work.Flops, seconds + now, count + 1, Math.Min(least, now));
    }
}
