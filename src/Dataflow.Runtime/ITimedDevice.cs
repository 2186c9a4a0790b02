using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>How closely a step is measured.</summary>
public enum StepDetail
{
    /// <summary>Start and end of each op.</summary>
    Ops,

    /// <summary>And of each kernel of its block program, which costs more.</summary>
    Kernels,
}

/// <summary>What one kernel of a block program took, from the end of the one before it in its op.</summary>
public readonly record struct KernelTime(ScheduledOp Op, KernelCall Call, long Nanoseconds);

/// <summary>
/// A device that can say when each op of a step ran. Only steps that were asked for are measured: measuring costs a little, and nothing
/// waits for it within the step.
/// </summary>
public interface ITimedDevice : IDevice
{
    /// <summary>The next step, from its begin to its synchronization, is measured; between steps.</summary>
    void MeasureNextStep(StepDetail detail = StepDetail.Ops);

    /// <summary>The step that was measured last; after its synchronization.</summary>
    /// <exception cref="InvalidOperationException">None was.</exception>
    Timeline MeasuredStep();

    /// <summary>The kernels of the step that was measured last, in the order of their calls; none unless they were asked for.</summary>
    IReadOnlyList<KernelTime> MeasuredKernels();
}
