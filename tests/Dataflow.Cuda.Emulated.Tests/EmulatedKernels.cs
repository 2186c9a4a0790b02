using System.Collections.Immutable;
using Dataflow.Conformance;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>The kernels of the CUDA device over the emulated driver; an order seeds its scheduler.</summary>
public sealed class EmulatedKernels : KernelsUnderTest
{
    public override KernelMemory Open(ImmutableArray<KernelOperand> operands, int order)
    {
        var gpu = EmulatedDriver.Gpu;
        CudaEmulation.Seed((ulong)order);
        return new CudaKernelMemory(CudaContext.Open(gpu), KernelImages.Emulated(EmulatedDriver.Folder), operands);
    }
}
