using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/scale.cu.</summary>
internal sealed class Scale(KernelLibrary library)
{
    private const int Block = 256;

    private readonly TypedFunction scale = library.Typed("scale", "scale");

    /// <inheritdoc cref="IKernels.Scale"/>
    public void Run(CudaStream stream, in ScaleArguments call)
    {
        long count = (long)call.X.Rows * call.X.Columns;
        scale[call.X.Type]
            .Launch(stream, new LaunchShape(checked((int)Up(count, Block)), Block), At(call.X), At(call.Factor), count);
    }
}
