using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// Attention by the provider that a workload has: tensor cores for bf16, whatever its heads' width, else the plain one; and one for tokens
/// that do not follow each other. Budgets and save sets have no say.
/// </summary>
internal sealed class Attention
{
    private readonly FlashAttention? flash;
    private readonly PlainAttention? plain;
    private readonly AttentionRows? rows;

    public Attention(KernelLibrary library, CudaGpu gpu, Workload workload)
    {
        var heads = HeadShape.Of(workload.Model);
        if (workload.Recipe.Activations == DType.BFloat16)
        {
            flash = new FlashAttention(library, heads, gpu.SharedMemoryPerBlock);
        }
        else
        {
            plain = new PlainAttention(library, workload.Recipe.Activations, heads);
        }

        rows = workload.Geometry.Cache is null ? null : new AttentionRows(library, workload.Recipe.Activations);
    }

    /// <summary>Rows of a window at whose multiples segments begin: kernels cut keys there, and would take others' for theirs.</summary>
    public int SegmentRows => flash is null ? 64 : 128;

    /// <inheritdoc cref="IKernels.AttentionForward"/>
    public void Forward(CudaStream stream, in AttentionForwardArguments call)
    {
        if (call.At.Rows != 0)
        {
            rows!.Forward(stream, call);
            return;
        }

        flash?.Forward(stream, call);
        plain?.Forward(stream, call);
    }

    /// <inheritdoc cref="IKernels.AttentionSegmentForward"/>
    public void ForwardSegment(CudaStream stream, in AttentionSegmentForwardArguments call)
    {
        flash?.ForwardSegment(stream, call);
        plain?.ForwardSegment(stream, call);
    }

    /// <inheritdoc cref="IKernels.AttentionNormalize"/>
    public void Normalize(CudaStream stream, in AttentionNormalizeArguments call)
    {
        flash?.Normalize(stream, call);
        plain?.Normalize(stream, call);
    }

    /// <inheritdoc cref="IKernels.AttentionBackward"/>
    public void Backward(CudaStream stream, in AttentionBackwardArguments call)
    {
        flash?.Backward(stream, call);
        plain?.Backward(stream, call);
    }

    /// <inheritdoc cref="IKernels.AttentionSegmentBackward"/>
    public void BackwardSegment(CudaStream stream, in AttentionSegmentBackwardArguments call)
    {
        flash?.BackwardSegment(stream, call);
        plain?.BackwardSegment(stream, call);
    }

    /// <inheritdoc cref="IKernels.AttentionRounding"/>
    public void Finish(CudaStream stream, in AttentionRoundingArguments call)
    {
        flash?.Finish(stream, call);
        plain?.Finish(stream, call);
    }
}
