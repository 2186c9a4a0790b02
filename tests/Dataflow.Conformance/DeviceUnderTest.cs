using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Conformance;

/// <summary>A kind of device that the suite runs on.</summary>
public abstract class DeviceUnderTest
{
    /// <summary>A step takes seconds where the CPU device takes milliseconds: of plans that multiply, each case takes some.</summary>
    public virtual bool IsSlow => false;

    /// <summary>Rows of a window at whose multiples segments of K and V may begin.</summary>
    public virtual int SegmentRows(Recipe recipe) => 1;

    /// <summary>The cuDNN and the GPU that it has, where suites are to have attention by it.</summary>
    public virtual CudnnTarget? Cudnn => null;

    /// <summary>Why there is no such device here, for people; null where there is one.</summary>
    public virtual string? Lack => null;

    /// <summary>Makes a device.</summary>
    /// <param name="order">Which of the orders that are legal, as far as the device can choose; 0 is its own.</param>
    public abstract IDevice Open(Schedule schedule, Workload workload, int order);
}
