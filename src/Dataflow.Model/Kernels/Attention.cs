namespace Dataflow.Model;

/// <summary>Causal attention within documents, over the whole window.</summary>
public sealed record AttentionForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.AttentionForward;

    /// <summary>[T, q].</summary>
    public required Operand Query { get; init; }

    /// <summary>[window, 2 kv].</summary>
    public required Operand Keys { get; init; }

    /// <summary>[T] int32.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>Where the tokens are that need not follow each other; null where they do, chunk after chunk.</summary>
    public ScatteredTokens? Scattered { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand Output { get; init; }

    /// <summary>[heads, T] fp32.</summary>
    public required Operand Lse { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <summary>What cuDNN keeps meanwhile; null where our own kernels compute it, which keep nothing.</summary>
    public Operand? Workspace { get; init; }

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) => KernelWork.Attention(forward: true, at, Cudnn);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Query, Keys, FirstKey, Scattered?.Rows, Scattered?.Bases);
        all.Write(Output, Lse, Workspace);
    }
}

/// <summary>Where tokens are that continue sequences.</summary>
/// <param name="Rows">[T] int32, each token's own row of the window.</param>
/// <param name="Bases">[T] int32, each token's number in the chunk less its position in its sequence.</param>
public sealed record ScatteredTokens(Operand Rows, Operand Bases);

/// <summary>dQ, and dK|dV (+)= over the window's rows up to the chunk's last.</summary>
public sealed record AttentionBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.AttentionBackward;

    /// <summary>[T, q].</summary>
    public required Operand Query { get; init; }

    /// <summary>[window, 2 kv].</summary>
    public required Operand Keys { get; init; }

    /// <summary>[T] int32.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>[T, q], of the forward.</summary>
    public required Operand Output { get; init; }

    /// <summary>[heads, T] fp32, of the forward.</summary>
    public required Operand Lse { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand GradOutput { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand GradQuery { get; init; }

    /// <summary>The gradient of the query before it is rounded.</summary>
    public required Operand GradQuerySums { get; init; }

    /// <summary>[window, 2 kv] fp32.</summary>
    public required Operand GradKeys { get; init; }

    /// <summary>How cuDNN computes it; null: our own kernels do.</summary>
    public CudnnCalls? Cudnn { get; init; }

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) => KernelWork.Attention(forward: false, at, Cudnn);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Query, Keys, FirstKey, Output, Lse, GradOutput);
        all.Write(GradQuery, GradQuerySums);
        all.Update(GradKeys);
    }
}
