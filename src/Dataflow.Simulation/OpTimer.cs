using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>
/// What single ops of a workload take of a machine. One timer serves many schedules: kernels that ops share are priced once.
/// </summary>
/// <param name="workload">Model, recipe and geometry that ops are of.</param>
/// <param name="programs">Of the same workload.</param>
/// <param name="machine">What kernels and copies cost.</param>
public sealed class OpTimer(Workload workload, BlockPrograms programs, CostModel machine)
{
    private readonly OpWork work = new(workload, programs);
    private readonly Dictionary<ImmutableArray<KernelRun>, OpCost> known = [];

    /// <summary>Of block programs of its own.</summary>
    public OpTimer(Workload workload, CostModel machine)
        : this(workload, new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry), machine)
    {
    }

    /// <summary>The links, as copies share them.</summary>
    public LinkRates Links => machine.Links;

    /// <summary>A copy its bytes on the link of its stream; a compute op the sum over its kernels.</summary>
    public OpCost Of(ScheduledOp op) => Of(op, Kernels(op));

    /// <summary>The kernel calls of an op; none for a copy.</summary>
    public ImmutableArray<KernelRun> Kernels(ScheduledOp op) => work.Of(op);

    /// <summary>Of an op whose kernel calls are known.</summary>
    public OpCost Of(ScheduledOp op, ImmutableArray<KernelRun> runs)
    {
        if (op.Kind is OpKind.Fetch or OpKind.Save)
        {
            return Copy(op);
        }

        if (work.IsOneKernel(op))
        {
            return Sum(runs);
        }

        return known.TryGetValue(runs, out var cost) ? cost : known[runs] = Sum(runs);
    }

    private OpCost Copy(ScheduledOp op)
    {
        foreach (ref readonly var access in op.Accesses.AsSpan())
        {
            if (access.Role == Roles.From)
            {
                return machine.Copy(StepStreams.DirectionOf(op.Stream), access.Length.Value);
            }
        }

        throw new ArgumentException("a copy from nowhere", nameof(op));
    }

    private OpCost Sum(ImmutableArray<KernelRun> runs)
    {
        double seconds = 0;
        foreach (ref readonly var run in runs.AsSpan())
        {
            seconds += run.Times * machine.Seconds(run.Kernel, run.Work);
        }

        return OpCost.Compute(CostModel.Nanoseconds(seconds));
    }
}
