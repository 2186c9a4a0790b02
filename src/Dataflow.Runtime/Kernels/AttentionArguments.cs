using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>Causal attention within documents, over the window.</summary>
public readonly record struct AttentionForwardArguments : IKernelArguments
{
    /// <summary>[T, q].</summary>
    public required Tensor Query { get; init; }

    /// <summary>Rows of the window: keys, then values.</summary>
    public required WindowRows Keys { get; init; }

    /// <summary>Where the queries are.</summary>
    public required ChunkContext At { get; init; }

    /// <summary>Of attention.</summary>
    public required HeadShape Heads { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor Output { get; init; }

    /// <summary>[heads, T] fp32.</summary>
    public required nuint Lse { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <summary>Where cuDNN does, <see cref="CudnnMemory.Total"/> bytes; else 0.</summary>
    public nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static AttentionForwardArguments Of(AttentionForwardCall call, in OpOperands at) =>
        new()
        {
            Query = at.Tensor(call.Query),
            Keys = at.Keys(call.Keys),
            At = at.Context(call.FirstKey, call.Scattered),
            Heads = at.Heads,
            Output = at.Tensor(call.Output),
            Lse = at.Pointer(call.Lse),
            Cudnn = call.Cudnn,
            Workspace = at.Pointer(call.Workspace),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.AttentionForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Query);
        accesses.Read(Keys.UpTo(At, Query.Rows));
        At.Declare(accesses, Query.Rows);
        accesses.Write(Output);
        accesses.Write(Lse, KernelAccesses.Floats(Heads.Heads * (long)Query.Rows));
        if (Cudnn is { } calls)
        {
            accesses.Update(Workspace, calls.Memory.Total.Value);
        }
    }
}

/// <summary>dq, and dkv (+)= over the window's rows up to this chunk's last.</summary>
public readonly record struct AttentionBackwardArguments : IKernelArguments
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

    /// <summary>[T, q].</summary>
    public required Tensor GradQuery { get; init; }

    /// <summary>[window, 2 kv] fp32.</summary>
    public required Tensor GradKeyValue { get; init; }

    /// <summary>Whether gradients of keys and values are added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary><see cref="KernelWorkspace.AttentionBackward(CudnnCalls, long, int, int)"/> bytes.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <summary>The same over a window that is one segment: its gradient of queries is then only to be rounded.</summary>
    public AttentionSegmentBackwardArguments AsSegment =>
        new()
        {
            Query = Query,
            Keys = Keys with { Kv = Keys.Kv with { Rows = At.Row + Query.Rows } },
            At = At,
            Heads = Heads,
            Output = Output,
            Lse = Lse,
            GradOutput = GradOutput,
            GradQuerySums = Workspace,
            Continues = false,
            GradKeyValue = GradKeyValue,
            Accumulate = Accumulate,
            Cudnn = Cudnn,
        };

    /// <summary>Of a call's operands.</summary>
    public static AttentionBackwardArguments Of(AttentionBackwardCall call, in OpOperands at) =>
        new()
        {
            Query = at.Tensor(call.Query),
            Keys = at.Keys(call.Keys),
            At = at.Context(call.FirstKey),
            Heads = at.Heads,
            Output = at.Tensor(call.Output),
            Lse = at.Pointer(call.Lse),
            GradOutput = at.Tensor(call.GradOutput),
            GradQuery = at.Tensor(call.GradQuery),
            GradKeyValue = at.Tensor(call.GradKeys),
            Accumulate = at.Accumulates(call.GradKeys),
            Workspace = at.Pointer(call.GradQuerySums),
            Cudnn = call.Cudnn,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.AttentionBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Query);
        accesses.Read(Keys.UpTo(At, Query.Rows));
        accesses.Words(At.FirstKey, Query.Rows);
        accesses.Read(Output);
        accesses.Read(Lse, KernelAccesses.Floats(Heads.Heads * (long)Query.Rows));
        accesses.Read(GradOutput);
        accesses.Write(GradQuery);
        accesses.Sum((Keys with { Kv = GradKeyValue }).UpTo(At, Query.Rows), Accumulate);
        accesses.Update(Workspace, KernelWorkspace.AttentionBackward(Cudnn, Query.Rows, Heads.Heads, Heads.HeadDim).Value);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="AttentionForwardArguments"/>
    void AttentionForward(in AttentionForwardArguments call);

    /// <inheritdoc cref="AttentionBackwardArguments"/>
    void AttentionBackward(in AttentionBackwardArguments call);
}
