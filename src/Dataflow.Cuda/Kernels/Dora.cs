using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/dora.cu: lengths of rows, and the columns that they multiply.</summary>
internal sealed class Dora(KernelLibrary library)
{
    private const int Block = 256;
    private readonly TypedFunction scales = library.Typed("dora", "dora_scales");
    private readonly TypedFunction forward = library.Typed("dora", "dora_forward");
    private readonly TypedFunction backwardOfBFloat16 = library.Typed("dora", "dora_backward_bf16");
    private readonly CudaFunction backward = library.Function("dora", "dora_backward_f32_f32");

    /// <inheritdoc cref="IKernels.DoraScales"/>
    public void Scales(CudaStream stream, in DoraScalesArguments call) =>
        scales[call.W.Type]
            .Launch(
                stream,
                new(call.W.Rows, Block),
                At(call.W),
                At(call.A),
                At(call.B),
                At(call.Magnitude),
                At(call.Scales),
                call.W.Rows,
                call.W.Columns,
                call.A.Rows,
                call.Scale);

    /// <inheritdoc cref="IKernels.DoraForward"/>
    public void Forward(CudaStream stream, in DoraForwardArguments call) =>
        forward[call.X.Type]
            .Launch(
                stream,
                new(new Extent(call.X.Rows, (int)Up(call.X.Columns, Block)), Block),
                At(call.X),
                At(call.Scales),
                At(call.Bias),
                At(call.Addend),
                At(call.Y),
                call.X.Columns,
                call.X.Stride,
                call.Addend?.Stride ?? 0,
                call.Y.Stride,
                call.Scale);

    /// <inheritdoc cref="IKernels.DoraBackward"/>
    public void Backward(CudaStream stream, in DoraBackwardArguments call) =>
        (call.X.Type == DType.Float32 ? backward : backwardOfBFloat16[call.GradMagnitude.Type])
            .Launch(
                stream,
                new((int)Up(call.X.Columns, 32), Block),
                At(call.GradY),
                At(call.X),
                At(call.Scales),
                At(call.GradX),
                At(call.GradMagnitude),
                call.X.Rows,
                call.X.Columns,
                call.GradY.Stride,
                call.X.Stride,
                call.GradX.Stride,
                call.Scale,
                call.Accumulate ? 1 : 0);
}
