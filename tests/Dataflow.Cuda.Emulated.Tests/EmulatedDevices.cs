using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>
/// The CUDA device over the emulated driver, which checks every access and every order; an order seeds its scheduler. Attention of golden
/// cases is by our own kernels, unless DATAFLOW_ATTENTION is cudnn: then, where it is for a case, by the emulated cuDNN.
/// </summary>
public sealed class EmulatedDevices : DeviceUnderTest
{
    public override bool IsSlow => true;

    static EmulatedDevices()
    {
        if (Environment.GetEnvironmentVariable("DATAFLOW_ATTENTION") == "cudnn")
        {
            GoldenCase.Cudnn = EmulatedCudnn;
        }
    }

    public override CudnnTarget? Cudnn => EmulatedCudnn;

    // The driver first: its choice is that of all libraries.
    private static CudnnTarget EmulatedCudnn => EmulatedDriver.Gpu is var gpu ? new(CudnnHandle.LibraryVersion, gpu.Capability) : default;

    // Tensor cores', and the plain kernel's.
    public override int SegmentRows(Recipe recipe) => recipe.Activations == DType.BFloat16 ? 128 : 64;

    public override IDevice Open(Schedule schedule, Workload workload, int order)
    {
        var gpu = EmulatedDriver.Gpu;
        CudaEmulation.Seed((ulong)order);
        return new CudaDevice(schedule, workload, CudaContext.Open(gpu), KernelImages.Emulated(EmulatedDriver.Folder));
    }
}
