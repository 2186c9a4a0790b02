using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>The CUDA device over the emulated driver, which checks every access and every order; an order seeds its scheduler.</summary>
public sealed class EmulatedDevices : DeviceUnderTest
{
    public override bool IsSlow => true;

    // Tensor cores', and the plain kernel's.
    public override int SegmentRows(Recipe recipe) => recipe.Activations == DType.BFloat16 ? 128 : 64;

    public override IDevice Open(Schedule schedule, Workload workload, int order)
    {
        var gpu = EmulatedDriver.Gpu;
        CudaEmulation.Seed((ulong)order);
        return new CudaDevice(schedule, workload, CudaContext.Open(gpu), KernelImages.Emulated(EmulatedDriver.Folder));
    }
}
