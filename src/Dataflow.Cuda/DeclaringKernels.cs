using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda;

/// <summary>
/// The catalog with what each call touches declared to the emulated driver first, as its arguments say it: a launch that strays from that
/// is found, wherever in the arena it lands. Devices on the real driver do without it.
/// </summary>
/// <param name="inner">What launches.</param>
/// <param name="op">The op that is being launched.</param>
/// <param name="products">The memory that matrix products work in.</param>
/// <param name="step">The step's arguments.</param>
internal sealed class DeclaringKernels(IKernels inner, OpDeclaration op, DeclaredRange products, DeclaredRange step) : IKernels
{
    /// <inheritdoc/>
    public void Copy(nuint from, nuint to, Bytes length)
    {
        var accesses = new KernelAccesses();
        accesses.Read(from, length.Value);
        accesses.Write(to, length.Value);
        Declare(nameof(Copy), accesses);
        inner.Copy(from, to, length);
    }

    /// <inheritdoc/>
    public void Zero(nuint at, Bytes length)
    {
        var accesses = new KernelAccesses();
        accesses.Write(at, length.Value);
        Declare(nameof(Zero), accesses);
        inner.Zero(at, length);
    }

    /// <inheritdoc/>
    public void EmbeddingForward(in EmbeddingForwardArguments call)
    {
        Declare(nameof(EmbeddingForward), call);
        inner.EmbeddingForward(call);
    }

    /// <inheritdoc/>
    public void EmbeddingBackward(in EmbeddingBackwardArguments call)
    {
        Declare(nameof(EmbeddingBackward), call);
        inner.EmbeddingBackward(call);
    }

    /// <inheritdoc/>
    public void EmbeddingBlockForward(in EmbeddingBlockForwardArguments call)
    {
        Declare(nameof(EmbeddingBlockForward), call);
        inner.EmbeddingBlockForward(call);
    }

    /// <inheritdoc/>
    public void EmbeddingBlockBackward(in EmbeddingBlockBackwardArguments call)
    {
        Declare(nameof(EmbeddingBlockBackward), call);
        inner.EmbeddingBlockBackward(call);
    }

    /// <inheritdoc/>
    public void RmsNormForward(in RmsNormForwardArguments call)
    {
        Declare(nameof(RmsNormForward), call);
        inner.RmsNormForward(call);
    }

    /// <inheritdoc/>
    public void RmsNormBackward(in RmsNormBackwardArguments call)
    {
        Declare(nameof(RmsNormBackward), call);
        inner.RmsNormBackward(call);
    }

    /// <inheritdoc/>
    public void Gemm(in GemmArguments call)
    {
        Declare(nameof(Gemm), call);
        inner.Gemm(call);
    }

    /// <inheritdoc/>
    public void QkNormRopeForward(in QkNormRopeForwardArguments call)
    {
        Declare(nameof(QkNormRopeForward), call);
        inner.QkNormRopeForward(call);
    }

    /// <inheritdoc/>
    public void QkNormRopeBackward(in QkNormRopeBackwardArguments call)
    {
        Declare(nameof(QkNormRopeBackward), call);
        inner.QkNormRopeBackward(call);
    }

    /// <inheritdoc/>
    public void AttentionForward(in AttentionForwardArguments call)
    {
        Declare(nameof(AttentionForward), call);
        inner.AttentionForward(call);
    }

    /// <inheritdoc/>
    public void AttentionBackward(in AttentionBackwardArguments call)
    {
        Declare(nameof(AttentionBackward), call);
        inner.AttentionBackward(call);
    }

    /// <inheritdoc/>
    public void AttentionSegmentForward(in AttentionSegmentForwardArguments call)
    {
        Declare(nameof(AttentionSegmentForward), call);
        inner.AttentionSegmentForward(call);
    }

    /// <inheritdoc/>
    public void AttentionNormalize(in AttentionNormalizeArguments call)
    {
        Declare(nameof(AttentionNormalize), call);
        inner.AttentionNormalize(call);
    }

    /// <inheritdoc/>
    public void AttentionSegmentBackward(in AttentionSegmentBackwardArguments call)
    {
        Declare(nameof(AttentionSegmentBackward), call);
        inner.AttentionSegmentBackward(call);
    }

    /// <inheritdoc/>
    public void AttentionRounding(in AttentionRoundingArguments call)
    {
        Declare(nameof(AttentionRounding), call);
        inner.AttentionRounding(call);
    }

    /// <inheritdoc/>
    public void SwiGluForward(in SwiGluForwardArguments call)
    {
        Declare(nameof(SwiGluForward), call);
        inner.SwiGluForward(call);
    }

    /// <inheritdoc/>
    public void SwiGluBackward(in SwiGluBackwardArguments call)
    {
        Declare(nameof(SwiGluBackward), call);
        inner.SwiGluBackward(call);
    }

    /// <inheritdoc/>
    public void CrossEntropy(in CrossEntropyArguments call)
    {
        Declare(nameof(CrossEntropy), call);
        inner.CrossEntropy(call);
    }

    /// <inheritdoc/>
    public void CrossEntropyStatistics(in CrossEntropyStatisticsArguments call)
    {
        Declare(nameof(CrossEntropyStatistics), call);
        inner.CrossEntropyStatistics(call);
    }

    /// <inheritdoc/>
    public void CrossEntropyLoss(in CrossEntropyLossArguments call)
    {
        Declare(nameof(CrossEntropyLoss), call);
        inner.CrossEntropyLoss(call);
    }

    /// <inheritdoc/>
    public void CrossEntropyGradient(in CrossEntropyGradientArguments call)
    {
        Declare(nameof(CrossEntropyGradient), call);
        inner.CrossEntropyGradient(call);
    }

    /// <inheritdoc/>
    public void SquaredSum(in SquaredSumArguments call)
    {
        Declare(nameof(SquaredSum), call);
        inner.SquaredSum(call);
    }

    /// <inheritdoc/>
    public void AdamW(in AdamWArguments call)
    {
        Declare(nameof(AdamW), call);
        inner.AdamW(call);
    }

    private void Declare<T>(string kernel, in T call)
        where T : struct, IKernelArguments
    {
        var accesses = new KernelAccesses();
        call.Declare(accesses);
        Declare(kernel, accesses);
    }

    private void Declare(string kernel, KernelAccesses accesses)
    {
        DeclaredRange[] beside = (accesses.UsesProductWorkspace, accesses.ReadsStepArguments) switch
        {
            (true, _) => [products],
            (_, true) => [step],
            _ => [],
        };
        op.Launches(kernel, [.. accesses.Ranges.Select(Declared)], beside);
    }

    private static DeclaredRange Declared((nuint Start, long Bytes, KernelAccess Access) range) =>
        new(
            new DevicePointer(range.Start),
            new Bytes(range.Bytes),
            range.Access switch
            {
                KernelAccess.Read => MemoryAccess.Read,
                KernelAccess.Write => MemoryAccess.Write,
                _ => MemoryAccess.Read | MemoryAccess.Write,
            }
        );
}
