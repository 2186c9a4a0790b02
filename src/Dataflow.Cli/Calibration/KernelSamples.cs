using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cli;

/// <summary>
/// What kernels took, by kernel and shape. A rate comes from the mean and not from the best: steps are sums, and what a machine loses
/// now and then (clocks under a power limit, other work) is lost in steps, too.
/// </summary>
internal sealed class KernelSamples
{
    private readonly Dictionary<(Kernel Kernel, double Rows, double Columns, double Depth, double Bytes), (double Work, double Seconds, int Count)> all = [];

    /// <summary>Kernels measured so far.</summary>
    public int Count => all.Values.Sum(s => s.Count);

    /// <summary>Adds all kernels of a step that was measured kernel by kernel, and the ops that are one kernel each.</summary>
    public void Add(Schedule schedule, Workload workload, BlockPrograms programs, ITimedDevice device)
    {
        foreach (var time in device.MeasuredKernels())
        {
            var program = OpPrograms.Of(time.Op, programs, workload.Geometry)!;
            Add(time.Call.Kernel, KernelWork.Of(time.Call, program, workload.Model, workload.Geometry, time.Op.Chunk!.Value, time.Op.Segment), time.Nanoseconds);
        }

        var ops = device.MeasuredStep().Ops;
        for (int i = 0; i < ops.Length; i++)
        {
            var op = schedule.Ops[i];
            Kernel? kernel = op.Kind switch
            {
                OpKind.Update => Kernel.AdamW,
                OpKind.Norm => Kernel.SquaredSum,
                OpKind.Zero => Kernel.Zero,
                _ => null,
            };
            if (kernel is { } alone)
            {
                Add(alone, KernelWork.Memory(op.Accesses.Sum(a => (double)a.Length.Value * (a.Mode == AccessMode.ReadWrite ? 2 : 1))), ops[i].Duration);
            }
        }
    }

    /// <summary>The rates.</summary>
    /// <param name="launchSeconds">What each launch takes besides: rates are without it.</param>
    public KernelRates Rates(DType operands, string source, double launchSeconds) => new(operands, source, all
        .GroupBy(s => s.Key.Kernel)
        .ToImmutableSortedDictionary(g => g.Key, g => g
            .Select(s => new KernelRate(s.Key.Rows, s.Key.Columns, s.Key.Depth, s.Key.Bytes, s.Value.Work / Alone(s.Value.Seconds / s.Value.Count, launchSeconds)))
            .OrderBy(r => r.Rows).ThenBy(r => r.Columns).ThenBy(r => r.Depth).ThenBy(r => r.Bytes)
            .ToImmutableArray()));

    // A kernel that is hardly longer than its launch still takes something.
    private static double Alone(double seconds, double launchSeconds) => Math.Max(seconds - launchSeconds, seconds / 10);

    private void Add(Kernel kernel, in KernelWork work, long nanoseconds)
    {
        bool memory = work.Class == KernelClass.Memory;
        var key = memory ? (kernel, 1, 1, 1, work.Bytes) : (kernel, work.Rows, work.Columns, work.Depth, 1);
        var (_, seconds, count) = all.GetValueOrDefault(key);
        all[key] = (memory ? work.Bytes : work.Flops, seconds + (nanoseconds / 1e9), count + 1);
    }
}
