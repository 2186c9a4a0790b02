using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/cross_entropy.cu.</summary>
internal sealed class CrossEntropy(KernelLibrary library)
{
    private readonly TypedFunction gradient = library.Typed("cross_entropy", "cross_entropy");
    private readonly TypedFunction blockGradient = library.Typed("cross_entropy", "cross_entropy_gradient");
    private readonly CudaFunction statistics = library.Function("cross_entropy", "cross_entropy_statistics");
    private readonly CudaFunction statisticsLoss = library.Function("cross_entropy", "cross_entropy_statistics_loss");
    private readonly CudaFunction total = library.Function("cross_entropy", "cross_entropy_loss");

    /// <inheritdoc cref="IKernels.CrossEntropy"/>
    public void Run(
        CudaStream stream,
        Tensor logits,
        nuint targets,
        DevicePointer step,
        Tensor dlogits,
        nuint loss,
        bool accumulate,
        nuint rowLosses
    )
    {
        gradient[dlogits.Type]
            .Launch(
                stream,
                RowShape(logits),
                At(logits),
                At(targets),
                step,
                At(dlogits),
                At(rowLosses),
                logits.Columns,
                (long)logits.Columns
            );
        total.Launch(stream, new(1, 256), At(rowLosses), At(loss), logits.Rows, accumulate ? 1 : 0);
    }

    /// <inheritdoc cref="IKernels.CrossEntropyStatistics"/>
    public void Statistics(CudaStream stream, Tensor logits, nuint targets, int firstId, nuint rowStatistics, int stride, bool fold) =>
        statistics.Launch(
            stream,
            RowShape(logits),
            At(logits),
            At(targets),
            At(rowStatistics),
            firstId,
            logits.Columns,
            (long)stride,
            fold ? 1 : 0
        );

    /// <inheritdoc cref="IKernels.CrossEntropyLoss"/>
    public void Loss(CudaStream stream, nuint targets, int rows, nuint rowStatistics, int stride, nuint loss) =>
        statisticsLoss.Launch(stream, new(1, 1024), At(targets), At(rowStatistics), At(loss), rows, (long)stride);

    /// <inheritdoc cref="IKernels.CrossEntropyGradient"/>
    public void Gradient(
        CudaStream stream,
        Tensor logits,
        nuint targets,
        DevicePointer step,
        int firstId,
        nuint rowStatistics,
        int stride,
        Tensor dlogits
    ) =>
        blockGradient[dlogits.Type]
            .Launch(
                stream,
                RowShape(logits),
                At(logits),
                At(targets),
                step,
                At(rowStatistics),
                At(dlogits),
                firstId,
                logits.Columns,
                (long)stride
            );

    private static LaunchShape RowShape(Tensor logits) => new(logits.Rows, Threads(Up(logits.Columns, 16), 64, 512));
}
