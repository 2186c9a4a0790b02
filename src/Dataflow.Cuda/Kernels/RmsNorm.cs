using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/rms_norm.cu, whose head says why launches have these shapes.</summary>
internal sealed class RmsNorm(KernelLibrary library, ColumnSum columnSum)
{
    private readonly TypedFunction forward = library.Typed("rms_norm", "rms_norm_forward");
    private readonly CudaFunction backwardWide = library.Function("rms_norm", "rms_norm_backward_bf16_f32");
    private readonly TypedFunction backward = library.Typed("rms_norm", "rms_norm_backward");

    /// <inheritdoc cref="IKernels.RmsNormForward"/>
    public void Forward(CudaStream stream, Tensor x, Tensor weight, float epsilon, Tensor y, nuint rstd)
    {
        int block = Threads(Up(x.Columns, PackOf(x.Type) * 4L), 64, 1024);
        forward[x.Type].Launch(stream, new(x.Rows, block), At(x), At(weight), At(y), At(rstd), epsilon, x.Columns);
    }

    /// <inheritdoc cref="IKernels.RmsNormBackward"/>
    public void Backward(
        CudaStream stream,
        Tensor dy,
        Tensor x,
        nuint rstd,
        Tensor weight,
        Tensor dx,
        Tensor? addend,
        Tensor dWeight,
        bool accumulate,
        nuint partials
    )
    {
        int rows = Model.KernelWorkspace.RmsNormGroupRows(x.Rows, x.Columns);
        int groups = (int)Up(x.Rows, rows);
        int block = Threads(Up(x.Columns, PackOf(x.Type) * 2L), 64, 768);
        var function = dy.Type == x.Type ? backward[x.Type] : backwardWide;
        function.Launch(
            stream,
            new(groups, block),
            At(dy),
            At(x),
            At(rstd),
            At(weight),
            At(addend),
            At(dx),
            At(partials),
            x.Rows,
            x.Columns,
            rows
        );
        columnSum.Run(stream, partials, groups, dWeight, accumulate);
    }
}
