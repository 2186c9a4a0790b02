using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/dropout.cu.</summary>
internal sealed class Dropout(KernelLibrary library)
{
    private const int Block = 256, Octet = 8;
    private readonly TypedFunction dropout = library.Typed("dropout", "dropout");

    /// <inheritdoc cref="IKernels.Dropout"/>
    public void Run(CudaStream stream, in DropoutArguments call, DevicePointer step) =>
        dropout[call.X.Type]
            .Launch(
                stream,
                new(checked((int)Up(call.X.Rows * Up(call.X.Columns, Octet), Block)), Block),
                At(call.X),
                At(call.Y),
                step,
                call.FirstToken,
                call.X.Rows,
                call.X.Columns,
                (int)call.Module,
                (int)call.Threshold,
                call.Scale,
                call.Adds ? 1 : 0);
}
