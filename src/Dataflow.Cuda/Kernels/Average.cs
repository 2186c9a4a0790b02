using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/average.cu.</summary>
internal sealed class Average(KernelLibrary library)
{
    private readonly TypedFunction average = library.Typed("average", "average");

    /// <inheritdoc cref="IKernels.Average"/>
    public void Run(CudaStream stream, in AverageArguments call, DevicePointer step) =>
        average[call.Type].Launch(
            stream,
            new LaunchShape(checked((int)Up(call.Count, PackOf(call.Type) * 256L)), 256),
            At(call.Weights),
            At(call.Average),
            At(call.Norms),
            step,
            call.Count,
            call.NormCount
        );
}
