using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>Attention against one segment of the window, segments ascending.</summary>
public readonly record struct AttentionSegmentForwardArguments : IKernelArguments
{
    /// <summary>[T, q].</summary>
    public required Tensor Query { get; init; }

    /// <summary>Rows of the window: keys, then values.</summary>
    public required WindowRows Keys { get; init; }

    /// <summary>Where the queries are.</summary>
    public required ChunkContext At { get; init; }

    /// <summary>Of attention.</summary>
    public required HeadShape Heads { get; init; }

    /// <summary>[T, q] fp32, the output before it is divided: overwritten, or updated where it continues.</summary>
    public required nuint Sums { get; init; }

    /// <summary>[heads, T] fp32, running maxima, likewise.</summary>
    public required nuint Maxima { get; init; }

    /// <summary>[heads, T] fp32, running totals of exponentials, likewise.</summary>
    public required nuint Totals { get; init; }

    /// <summary>Whether segments came before.</summary>
    public required bool Continues { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static AttentionSegmentForwardArguments Of(AttentionSegmentForwardCall call, in OpOperands at) =>
        new()
        {
            Query = at.Tensor(call.Query),
            Keys = at.Keys(call.Keys),
            At = at.Context(call.FirstKey),
            Heads = at.Heads,
            Sums = at.Pointer(call.Carried.Sums),
            Maxima = at.Pointer(call.Carried.Maxima),
            Totals = at.Pointer(call.Carried.Totals),
            Continues = at.Continues,
            Cudnn = call.Cudnn,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.AttentionSegmentForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Query);
        accesses.Read(Keys.UpTo(At, Query.Rows));
        accesses.Words(At.FirstKey, Query.Rows);
        accesses.Update(Sums, KernelWorkspace.AttentionForward(Cudnn, Query.Rows, Heads.Heads, Heads.HeadDim).Value);
    }
}

/// <summary>Output and logsumexp from what was carried over all segments.</summary>
public readonly record struct AttentionNormalizeArguments : IKernelArguments
{
    /// <summary>[T, q] fp32.</summary>
    public required nuint Sums { get; init; }

    /// <summary>[heads, T] fp32.</summary>
    public required nuint Maxima { get; init; }

    /// <summary>[heads, T] fp32.</summary>
    public required nuint Totals { get; init; }

    /// <summary>Of attention.</summary>
    public required HeadShape Heads { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor Output { get; init; }

    /// <summary>[heads, T] fp32.</summary>
    public required nuint Lse { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static AttentionNormalizeArguments Of(AttentionNormalizeCall call, in OpOperands at) =>
        new()
        {
            Sums = at.Pointer(call.Carried.Sums),
            Maxima = at.Pointer(call.Carried.Maxima),
            Totals = at.Pointer(call.Carried.Totals),
            Heads = at.Heads,
            Output = at.Tensor(call.Output),
            Lse = at.Pointer(call.Lse),
            Cudnn = call.Cudnn,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.AttentionNormalize(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Sums, KernelWorkspace.AttentionForward(Cudnn, Output.Rows, Heads.Heads, Heads.HeadDim).Value);
        accesses.Write(Output);
        accesses.Write(Lse, KernelAccesses.Floats(Heads.Heads * (long)Output.Rows));
    }
}

/// <summary>dkv (+)= of one segment's rows, and its part of dq.</summary>
public readonly record struct AttentionSegmentBackwardArguments : IKernelArguments
{
    /// <summary>[T, q].</summary>
    public required Tensor Query { get; init; }

    /// <summary>Rows of the window: keys, then values.</summary>
    public required WindowRows Keys { get; init; }

    /// <summary>Where the queries are.</summary>
    public required ChunkContext At { get; init; }

    /// <summary>Of attention.</summary>
    public required HeadShape Heads { get; init; }

    /// <summary>[T, q], of the forward.</summary>
    public required Tensor Output { get; init; }

    /// <summary>[heads, T] fp32, of the forward.</summary>
    public required nuint Lse { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor GradOutput { get; init; }

    /// <summary>[T, q] fp32, carried over segments.</summary>
    public required nuint GradQuerySums { get; init; }

    /// <summary>Whether segments came before.</summary>
    public required bool Continues { get; init; }

    /// <summary>[rows, 2 kv] fp32, of the segment.</summary>
    public required Tensor GradKeyValue { get; init; }

    /// <summary>Whether gradients of keys and values are added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static AttentionSegmentBackwardArguments Of(AttentionSegmentBackwardCall call, in OpOperands at) =>
        new()
        {
            Query = at.Tensor(call.Query),
            Keys = at.Keys(call.Keys),
            At = at.Context(call.FirstKey),
            Heads = at.Heads,
            Output = at.Tensor(call.Output),
            Lse = at.Pointer(call.Lse),
            GradOutput = at.Tensor(call.GradOutput),
            GradQuerySums = at.Pointer(call.GradQuerySums),
            Continues = at.Continues,
            GradKeyValue = at.AccessedRows(call.GradKeys),
            Accumulate = at.Accumulates(call.GradKeys),
            Cudnn = call.Cudnn,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.AttentionSegmentBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Query);
        accesses.Read(Keys.UpTo(At, Query.Rows));
        accesses.Words(At.FirstKey, Query.Rows);
        accesses.Read(Output);
        accesses.Read(Lse, KernelAccesses.Floats(Heads.Heads * (long)Query.Rows));
        accesses.Read(GradOutput);
        accesses.Update(GradQuerySums, KernelWorkspace.AttentionBackward(Cudnn, Query.Rows, Heads.Heads, Heads.HeadDim).Value);
        accesses.Sum((Keys with { Kv = GradKeyValue }).UpTo(At, Query.Rows), Accumulate);
    }
}

/// <summary>dq from what was carried over all segments, rounded from fp32.</summary>
public readonly record struct AttentionRoundingArguments : IKernelArguments
{
    /// <summary>[T, q] fp32.</summary>
    public required nuint GradQuerySums { get; init; }

    /// <summary>Of attention.</summary>
    public required HeadShape Heads { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor GradQuery { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static AttentionRoundingArguments Of(AttentionRoundingCall call, in OpOperands at) =>
        new()
        {
            GradQuerySums = at.Pointer(call.GradQuerySums),
            Heads = at.Heads,
            GradQuery = at.Tensor(call.GradQuery),
            Cudnn = call.Cudnn,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.AttentionRounding(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(GradQuerySums, KernelWorkspace.AttentionBackward(Cudnn, GradQuery.Rows, Heads.Heads, Heads.HeadDim).Value);
        accesses.Write(GradQuery);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="AttentionSegmentForwardArguments"/>
    void AttentionSegmentForward(in AttentionSegmentForwardArguments call);

    /// <inheritdoc cref="AttentionNormalizeArguments"/>
    void AttentionNormalize(in AttentionNormalizeArguments call);

    /// <inheritdoc cref="AttentionSegmentBackwardArguments"/>
    void AttentionSegmentBackward(in AttentionSegmentBackwardArguments call);

    /// <inheritdoc cref="AttentionRoundingArguments"/>
    void AttentionRounding(in AttentionRoundingArguments call);
}
