using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>The same device with steps launched as graphs, from the second on.</summary>
public sealed class EmulatedGraphDevices : DeviceUnderTest
{
    public override bool IsSlow => true;

    public override int SegmentRows(Recipe recipe) => new EmulatedDevices().SegmentRows(recipe);

    public override IDevice Open(Schedule schedule, Workload workload, int order) => Open(schedule, workload, order, refused: null);

    internal static CudaDevice Open(Schedule schedule, Workload workload, int order, Action<string>? refused)
    {
        var gpu = EmulatedDriver.Gpu;
        CudaEmulation.Seed((ulong)order);
        var settings = new CudaDeviceSettings { Graphs = true, GraphsRefused = refused };
        return new CudaDevice(schedule, workload, CudaContext.Open(gpu), KernelImages.Emulated(EmulatedDriver.Folder), settings);
    }
}
