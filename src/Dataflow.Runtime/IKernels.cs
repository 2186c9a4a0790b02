using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// The kernels of the catalog on one device, in the order of one of its streams. A call may return before the kernel has run; kernels
/// of one stream run in order. A kernel's arguments are a record of its own (in Kernels), which says what each operand is and which bytes
/// are touched; a workspace holds what <see cref="KernelWorkspace"/> says of that kernel. Shapes and roundings are those of
/// <see cref="Kernel"/>: the same on every device.
/// </summary>
public interface IKernels
{
    /// <summary>Copies bytes between or within arenas.</summary>
    void Copy(nuint from, nuint to, Bytes length);

    /// <summary>Sets bytes to zero.</summary>
    void Zero(nuint at, Bytes length);

    /// <inheritdoc cref="EmbeddingForwardArguments"/>
    void EmbeddingForward(in EmbeddingForwardArguments call);

    /// <inheritdoc cref="EmbeddingBackwardArguments"/>
    void EmbeddingBackward(in EmbeddingBackwardArguments call);

    /// <inheritdoc cref="EmbeddingBlockForwardArguments"/>
    void EmbeddingBlockForward(in EmbeddingBlockForwardArguments call);

    /// <inheritdoc cref="EmbeddingBlockBackwardArguments"/>
    void EmbeddingBlockBackward(in EmbeddingBlockBackwardArguments call);

    /// <inheritdoc cref="RmsNormForwardArguments"/>
    void RmsNormForward(in RmsNormForwardArguments call);

    /// <inheritdoc cref="RmsNormBackwardArguments"/>
    void RmsNormBackward(in RmsNormBackwardArguments call);

    /// <inheritdoc cref="GemmArguments"/>
    void Gemm(in GemmArguments call);

    /// <inheritdoc cref="QkNormRopeForwardArguments"/>
    void QkNormRopeForward(in QkNormRopeForwardArguments call);

    /// <inheritdoc cref="QkNormRopeBackwardArguments"/>
    void QkNormRopeBackward(in QkNormRopeBackwardArguments call);

    /// <inheritdoc cref="AttentionForwardArguments"/>
    void AttentionForward(in AttentionForwardArguments call);

    /// <inheritdoc cref="AttentionBackwardArguments"/>
    void AttentionBackward(in AttentionBackwardArguments call);

    /// <inheritdoc cref="AttentionSegmentForwardArguments"/>
    void AttentionSegmentForward(in AttentionSegmentForwardArguments call);

    /// <inheritdoc cref="AttentionNormalizeArguments"/>
    void AttentionNormalize(in AttentionNormalizeArguments call);

    /// <inheritdoc cref="AttentionSegmentBackwardArguments"/>
    void AttentionSegmentBackward(in AttentionSegmentBackwardArguments call);

    /// <inheritdoc cref="AttentionRoundingArguments"/>
    void AttentionRounding(in AttentionRoundingArguments call);

    /// <inheritdoc cref="SwiGluForwardArguments"/>
    void SwiGluForward(in SwiGluForwardArguments call);

    /// <inheritdoc cref="SwiGluBackwardArguments"/>
    void SwiGluBackward(in SwiGluBackwardArguments call);

    /// <inheritdoc cref="CrossEntropyArguments"/>
    void CrossEntropy(in CrossEntropyArguments call);

    /// <inheritdoc cref="CrossEntropyStatisticsArguments"/>
    void CrossEntropyStatistics(in CrossEntropyStatisticsArguments call);

    /// <inheritdoc cref="CrossEntropyLossArguments"/>
    void CrossEntropyLoss(in CrossEntropyLossArguments call);

    /// <inheritdoc cref="CrossEntropyGradientArguments"/>
    void CrossEntropyGradient(in CrossEntropyGradientArguments call);

    /// <inheritdoc cref="SquaredSumArguments"/>
    void SquaredSum(in SquaredSumArguments call);

    /// <inheritdoc cref="AdamWArguments"/>
    void AdamW(in AdamWArguments call);
}
