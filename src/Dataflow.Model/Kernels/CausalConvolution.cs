namespace Dataflow.Model;

/// <summary>
/// y = silu(conv(x)): a causal convolution of each column alone, within documents. A chunk leaves its last K - 1 rows of x for the next
/// chunk of its row, at the beginning of the state.
/// </summary>
public sealed record CausalConvolutionForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.CausalConvolutionForward;

    /// <summary>[T, C].</summary>
    public required Operand X { get; init; }

    /// <summary>[C, K], the last tap for the token itself.</summary>
    public required Operand Taps { get; init; }

    /// <summary>[C], added to the convolution; null adds nothing.</summary>
    public Operand? Bias { get; init; }

    /// <summary>[T], where each token's document begins.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>The states of the row's chunks so far, one a chunk: the one before this chunk's is read.</summary>
    public required Operand States { get; init; }

    /// <summary>The state after this chunk, of which what lies behind the K - 1 rows becomes 0; null where it is not wanted.</summary>
    public required Operand? State { get; init; }

    /// <summary>[T, C].</summary>
    public required Operand Y { get; init; }

    /// <inheritdoc/>
    public override KernelCall Only(Func<Operand, bool> wanted) => State is { } state && wanted(state) ? this : this with { State = null };

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) => KernelWork.Memory(2.0 * at.Place(X).Size.Value);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(X, Taps, Bias, FirstKey, States);
        all.Write(State, Y);
    }
}

/// <summary>Gradients of x, of the taps, and of the state before the chunk, which takes in that of the state after it.</summary>
public sealed record CausalConvolutionBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.CausalConvolutionBackward;

    /// <summary>[T, C].</summary>
    public required Operand X { get; init; }

    /// <summary>[C, K].</summary>
    public required Operand Taps { get; init; }

    /// <summary>[C], added to the convolution; null adds nothing.</summary>
    public Operand? Bias { get; init; }

    /// <summary>[T], where each token's document begins.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>As the forward's.</summary>
    public required Operand States { get; init; }

    /// <summary>[T, C].</summary>
    public required Operand GradY { get; init; }

    /// <summary>
    /// Gradients of the states, one a chunk: that of this chunk's is read, where a later chunk has written it, that of the one before is
    /// written.
    /// </summary>
    public required Operand GradStates { get; init; }

    /// <summary>This chunk's of these.</summary>
    public required Operand GradState { get; init; }

    /// <summary>[T, C].</summary>
    public required Operand GradX { get; init; }

    /// <summary>[C, K]; null where the taps are frozen.</summary>
    public required Operand? GradTaps { get; init; }

    /// <summary>[C]; null where there is no bias or it is frozen.</summary>
    public Operand? GradBias { get; init; }

    /// <summary>Sums of groups of tokens.</summary>
    public required Operand Workspace { get; init; }

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) => KernelWork.Memory(3.0 * at.Place(X).Size.Value);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(X, Taps, Bias, FirstKey, States, GradY, GradState);
        all.Write(GradX, Workspace);
        all.Update(GradStates, GradTaps, GradBias);
    }
}
