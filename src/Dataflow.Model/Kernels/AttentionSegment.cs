namespace Dataflow.Model;

/// <summary>Attention against one segment of the window: updates what is carried from segment to segment.</summary>
public sealed record AttentionSegmentForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.AttentionSegmentForward;

    /// <summary>[T, q].</summary>
    public required Operand Query { get; init; }

    /// <summary>[rows, 2 kv].</summary>
    public required Operand Keys { get; init; }

    /// <summary>[T] int32.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>What is carried.</summary>
    public required CarriedAttention Carried { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) => KernelWork.Attention(forward: true, at, Cudnn);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Query, Keys, FirstKey);
        all.Update(Carried.Sums, Carried.Maxima, Carried.Totals);
    }
}

/// <summary>What attention carries from segment to segment.</summary>
/// <param name="Sums">At least [T, q] fp32.</param>
/// <param name="Maxima">[heads, T] fp32.</param>
/// <param name="Totals">[heads, T] fp32.</param>
public readonly record struct CarriedAttention(Operand Sums, Operand Maxima, Operand Totals);

/// <summary>Output and logsumexp from what was carried over all segments.</summary>
public sealed record AttentionNormalizeCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.AttentionNormalize;

    /// <summary>What was carried.</summary>
    public required CarriedAttention Carried { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand Output { get; init; }

    /// <summary>[heads, T] fp32.</summary>
    public required Operand Lse { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Carried.Sums, Carried.Maxima, Carried.Totals);
        all.Write(Output, Lse);
    }
}

/// <summary>Attention's backward against one segment: its dK and dV, and its part of dQ, which is carried in fp32.</summary>
public sealed record AttentionSegmentBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.AttentionSegmentBackward;

    /// <summary>[T, q].</summary>
    public required Operand Query { get; init; }

    /// <summary>[rows, 2 kv].</summary>
    public required Operand Keys { get; init; }

    /// <summary>[T] int32.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>[T, q], of the forward.</summary>
    public required Operand Output { get; init; }

    /// <summary>[heads, T] fp32, of the forward.</summary>
    public required Operand Lse { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand GradOutput { get; init; }

    /// <summary>At least [T, q] fp32, carried.</summary>
    public required Operand GradQuerySums { get; init; }

    /// <summary>[rows, 2 kv] fp32.</summary>
    public required Operand GradKeys { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) => KernelWork.Attention(forward: false, at, Cudnn);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Query, Keys, FirstKey, Output, Lse, GradOutput);
        all.Update(GradQuerySums, GradKeys);
    }
}

/// <summary>dQ from what was carried over all segments, rounded from fp32.</summary>
public sealed record AttentionRoundingCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.AttentionRounding;

    /// <summary>At least [T, q] fp32.</summary>
    public required Operand GradQuerySums { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand GradQuery { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(GradQuerySums);
        all.Write(GradQuery);
    }
}
