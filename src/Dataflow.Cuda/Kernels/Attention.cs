using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// Attention by the provider that a workload and a GPU have: tensor cores for bf16 and heads of 64 or 128, else the plain one. Budgets
/// and save sets have no say.
/// </summary>
internal sealed class Attention
{
    private readonly FlashAttention? flash;
    private readonly PlainAttention? plain;

    public Attention(KernelLibrary library, CudaGpu gpu, Workload workload)
    {
        if (workload.Recipe.Activations == DType.BFloat16 && workload.Model.HeadDim is 64 or 128)
        {
            flash = new FlashAttention(library, workload.Model.HeadDim, gpu.SharedMemoryPerBlock);
        }
        else
        {
            plain = new PlainAttention(library, workload.Recipe.Activations, workload.Model.HeadDim);
        }
    }

    /// <summary>Rows of a window at whose multiples segments begin: kernels cut keys there, and would take others' for theirs.</summary>
    public int SegmentRows => flash is null ? 64 : 128;

    /// <inheritdoc cref="IKernels.AttentionForward"/>
    public void Forward(CudaStream stream, Tensor q, WindowRows keys, ChunkContext at, HeadShape heads, Tensor o, nuint lse)
    {
        flash?.Forward(stream, q, keys, at, heads, o, lse);
        plain?.Forward(stream, q, keys, at, heads, o, lse);
    }

    /// <inheritdoc cref="IKernels.AttentionSegmentForward"/>
    public void ForwardSegment(CudaStream stream, Tensor q, WindowRows keys, ChunkContext at, HeadShape heads, nuint state, bool continues)
    {
        flash?.ForwardSegment(stream, q, keys, at, heads, state, continues);
        plain?.ForwardSegment(stream, q, keys, at, heads, state, continues);
    }

    /// <inheritdoc cref="IKernels.AttentionNormalize"/>
    public void Normalize(CudaStream stream, nuint state, HeadShape heads, Tensor o, nuint lse)
    {
        flash?.Normalize(stream, state, heads, o, lse);
        plain?.Normalize(stream, state, heads, o, lse);
    }

    /// <inheritdoc cref="IKernels.AttentionBackward"/>
    public void Backward(
        CudaStream stream,
        Tensor q,
        WindowRows keys,
        ChunkContext at,
        HeadShape heads,
        Tensor o,
        nuint lse,
        Tensor dO,
        Tensor dq,
        Tensor dkv,
        bool accumulate,
        nuint workspace
    )
    {
        flash?.Backward(stream, q, keys, at, heads, o, lse, dO, dq, dkv, accumulate, workspace);
        plain?.Backward(stream, q, keys, at, heads, o, lse, dO, dq, dkv, accumulate, workspace);
    }

    /// <inheritdoc cref="IKernels.AttentionSegmentBackward"/>
    public void BackwardSegment(
        CudaStream stream,
        Tensor q,
        WindowRows keys,
        ChunkContext at,
        HeadShape heads,
        Tensor o,
        nuint lse,
        Tensor dO,
        nuint workspace,
        bool continues,
        Tensor dkv,
        bool accumulate
    )
    {
        flash?.BackwardSegment(stream, q, keys, at, heads, o, lse, dO, workspace, continues, dkv, accumulate);
        plain?.BackwardSegment(stream, q, keys, at, heads, o, lse, dO, workspace, continues, dkv, accumulate);
    }

    /// <inheritdoc cref="IKernels.AttentionRounding"/>
    public void Finish(CudaStream stream, nuint workspace, HeadShape heads, Tensor dq)
    {
        flash?.Finish(stream, workspace, heads, dq);
        plain?.Finish(stream, workspace, heads, dq);
    }
}
