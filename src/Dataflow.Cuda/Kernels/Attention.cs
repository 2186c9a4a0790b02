using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// Attention by the provider that a workload has: cuDNN where the geometry says so, else tensor cores for bf16, of heads up to 256 wide,
/// else the plain one; and one for tokens that do not follow each other. Budgets and save sets have no say.
/// </summary>
internal sealed class Attention : IDisposable
{
    private const int WidestOfTensorCores = 256;
    private readonly Dictionary<int, FlashAttention> flash = [];
    private readonly Dictionary<int, PlainAttention> plain = [];
    private readonly AttentionRows? rows;
    private readonly LibraryAttention? cudnn;

    public Attention(KernelLibrary library, CudaContext context, Workload workload)
    {
        var type = workload.Recipe.Activations;
        foreach (int headDim in workload.Model.Kinds.Where(k => k.Attends).Select(k => workload.Model.HeadsOf(k).HeadDim).Distinct())
        {
            var heads = HeadShape.Of(workload.Model) with { HeadDim = headDim };
            if (type == DType.BFloat16 && headDim <= WidestOfTensorCores)
            {
                flash[headDim] = new FlashAttention(library, heads, context.Gpu.SharedMemoryPerBlock);
            }
            else
            {
                plain[headDim] = new PlainAttention(library, type, heads);
            }
        }

        rows = workload.Geometry.Cache is null ? null : new AttentionRows(library, type);
        cudnn = workload.Geometry.Cudnn is { } target ? new LibraryAttention(library, context, target) : null;
    }

    /// <summary>Rows of a window at whose multiples segments begin: kernels cut keys there, and would take others' for theirs.</summary>
    public int SegmentRows => flash.Count == 0 ? 64 : 128;

    /// <summary>Makes ready what a program's calls take.</summary>
    public void Prepare(BlockProgram program)
    {
        foreach (var call in program.Calls)
        {
            var calls = call switch
            {
                AttentionForwardCall c => c.Cudnn,
                AttentionSegmentForwardCall c => c.Cudnn,
                AttentionBackwardCall c => c.Cudnn,
                AttentionSegmentBackwardCall c => c.Cudnn,
                _ => null,
            };
            if (calls is not null)
            {
                Prepare(calls);
            }
        }
    }

    /// <summary>Makes calls of cuDNN ready.</summary>
    public void Prepare(CudnnCalls calls) => cudnn!.Prepare(calls);

    /// <inheritdoc/>
    public void Dispose() => cudnn?.Dispose();

    /// <inheritdoc cref="IKernels.AttentionForward"/>
    public void Forward(CudaStream stream, in AttentionForwardArguments call)
    {
        if (call.At.Rows != 0)
        {
            rows!.Forward(stream, call);
            return;
        }

        if (call.Cudnn is { } calls)
        {
            cudnn!.Forward(stream, calls, call);
            return;
        }

        flash.GetValueOrDefault(call.Heads.HeadDim)?.Forward(stream, call);
        plain.GetValueOrDefault(call.Heads.HeadDim)?.Forward(stream, call);
    }

    /// <inheritdoc cref="IKernels.AttentionSegmentForward"/>
    public void ForwardSegment(CudaStream stream, in AttentionSegmentForwardArguments call)
    {
        if (call.Cudnn is { } calls)
        {
            cudnn!.ForwardSegment(stream, calls, call);
            return;
        }

        flash.GetValueOrDefault(call.Heads.HeadDim)?.ForwardSegment(stream, call);
        plain.GetValueOrDefault(call.Heads.HeadDim)?.ForwardSegment(stream, call);
    }

    /// <inheritdoc cref="IKernels.AttentionNormalize"/>
    public void Normalize(CudaStream stream, in AttentionNormalizeArguments call)
    {
        if (call.Cudnn is { } calls)
        {
            cudnn!.Normalize(stream, calls, call);
            return;
        }

        flash.GetValueOrDefault(call.Heads.HeadDim)?.Normalize(stream, call);
        plain.GetValueOrDefault(call.Heads.HeadDim)?.Normalize(stream, call);
    }

    /// <inheritdoc cref="IKernels.AttentionBackward"/>
    public void Backward(CudaStream stream, in AttentionBackwardArguments call)
    {
        if (call.Cudnn is { } calls)
        {
            cudnn!.Backward(stream, calls, call);
            return;
        }

        flash.GetValueOrDefault(call.Heads.HeadDim)?.Backward(stream, call);
        plain.GetValueOrDefault(call.Heads.HeadDim)?.Backward(stream, call);
    }

    /// <inheritdoc cref="IKernels.AttentionSegmentBackward"/>
    public void BackwardSegment(CudaStream stream, in AttentionSegmentBackwardArguments call)
    {
        if (call.Cudnn is { } calls)
        {
            cudnn!.BackwardSegment(stream, calls, call);
            return;
        }

        flash.GetValueOrDefault(call.Heads.HeadDim)?.BackwardSegment(stream, call);
        plain.GetValueOrDefault(call.Heads.HeadDim)?.BackwardSegment(stream, call);
    }

    /// <inheritdoc cref="IKernels.AttentionRounding"/>
    public void Finish(CudaStream stream, in AttentionRoundingArguments call)
    {
        if (call.Cudnn is { } calls)
        {
            cudnn!.Finish(stream, calls, call);
            return;
        }

        flash.GetValueOrDefault(call.Heads.HeadDim)?.Finish(stream, call);
        plain.GetValueOrDefault(call.Heads.HeadDim)?.Finish(stream, call);
    }
}
