using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/cross_entropy.cu.</summary>
internal sealed class CrossEntropy(KernelLibrary library)
{
    private readonly TypedFunction gradient = library.Typed("cross_entropy", "cross_entropy");
    private readonly TypedFunction gradientCapped = library.Typed("cross_entropy", "cross_entropy_capped");
    private readonly TypedFunction blockGradient = library.Typed("cross_entropy", "cross_entropy_gradient");
    private readonly TypedFunction blockGradientCapped = library.Typed("cross_entropy", "cross_entropy_gradient_capped");
    private readonly CudaFunction statistics = library.Function("cross_entropy", "cross_entropy_statistics");
    private readonly CudaFunction statisticsCapped = library.Function("cross_entropy", "cross_entropy_statistics_capped");
    private readonly CudaFunction statisticsLoss = library.Function("cross_entropy", "cross_entropy_statistics_loss");
    private readonly CudaFunction total = library.Function("cross_entropy", "cross_entropy_loss");

    /// <inheritdoc cref="IKernels.CrossEntropy"/>
    public void Run(CudaStream stream, DevicePointer step, in CrossEntropyArguments call)
    {
        (call.LogitSoftcap is null ? gradient : gradientCapped)[call.GradLogits.Type]
            .Launch(
                stream,
                RowShape(call.Logits),
                At(call.Logits),
                At(call.Targets),
                At(call.Weights),
                step,
                At(call.GradLogits),
                At(call.Workspace),
                call.LogitScale,
                call.LogitSoftcap ?? 0,
                call.Logits.Columns,
                (long)call.Logits.Columns
            );
        total.Launch(stream, new(1, 256), At(call.Workspace), At(call.Loss), call.Logits.Rows, call.Accumulate ? 1 : 0);
    }

    /// <inheritdoc cref="IKernels.CrossEntropyStatistics"/>
    public void Statistics(CudaStream stream, in CrossEntropyStatisticsArguments call) =>
        (call.LogitSoftcap is null ? statistics : statisticsCapped).Launch(
            stream,
            RowShape(call.Logits),
            At(call.Logits),
            At(call.Targets),
            At(call.Statistics),
            call.LogitScale,
            call.LogitSoftcap ?? 0,
            call.FirstId,
            call.Logits.Columns,
            (long)call.Stride,
            call.Fold ? 1 : 0
        );

    /// <inheritdoc cref="IKernels.CrossEntropyLoss"/>
    public void Loss(CudaStream stream, in CrossEntropyLossArguments call) =>
        statisticsLoss.Launch(
            stream,
            new(1, 1024),
            At(call.Targets),
            At(call.Weights),
            At(call.Statistics),
            At(call.Loss),
            call.Rows,
            (long)call.Stride
        );

    /// <inheritdoc cref="IKernels.CrossEntropyGradient"/>
    public void Gradient(CudaStream stream, DevicePointer step, in CrossEntropyGradientArguments call) =>
        (call.LogitSoftcap is null ? blockGradient : blockGradientCapped)[call.GradLogits.Type]
            .Launch(
                stream,
                RowShape(call.Logits),
                At(call.Logits),
                At(call.Targets),
                At(call.Weights),
                step,
                At(call.Statistics),
                At(call.GradLogits),
                call.LogitScale,
                call.LogitSoftcap ?? 0,
                call.FirstId,
                call.Logits.Columns,
                (long)call.Stride
            );

    private static LaunchShape RowShape(Tensor logits) => new(logits.Rows, Threads(Up(logits.Columns, 16), 64, 512));
}
