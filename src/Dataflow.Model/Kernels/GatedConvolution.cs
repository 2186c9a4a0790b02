namespace Dataflow.Model;

/// <summary>
/// y = c conv(b h): a causal convolution of each column alone, gated before and after (LFM2). A chunk leaves the last K - 1 rows of b h
/// for the next chunk of its row: the state.
/// </summary>
public sealed record GatedConvolutionForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GatedConvolutionForward;

    /// <summary>[T, 3 D]: b, c, h.</summary>
    public required Operand X { get; init; }

    /// <summary>[D, K], the last tap for the token itself.</summary>
    public required Operand Taps { get; init; }

    /// <summary>[T], where each token's document begins.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>The states of the row's chunks so far, one a chunk: the one before this chunk's is read.</summary>
    public required Operand States { get; init; }

    /// <summary>[K - 1, D], the state after this chunk; null where it is not wanted.</summary>
    public required Operand? State { get; init; }

    /// <summary>[T, D]; null where it is not wanted.</summary>
    public required Operand? Y { get; init; }

    /// <inheritdoc/>
    public override KernelCall Only(Func<Operand, bool> wanted) =>
        this with
        {
            State = State is { } state && wanted(state) ? state : null,
            Y = Y is { } y && wanted(y) ? y : null,
        };

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) =>
        KernelWork.Memory(at.Place(X).Size.Value + (Y is { } y ? at.Place(y).Size.Value : 0));

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(X, Taps, FirstKey, States);
        all.Write(State, Y);
    }
}

/// <summary>
/// Gradients of b, c and h, of the taps, and of the state before the chunk, which takes in that of the state after it.
/// </summary>
public sealed record GatedConvolutionBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.GatedConvolutionBackward;

    /// <summary>[T, 3 D]: b, c, h.</summary>
    public required Operand X { get; init; }

    /// <summary>[D, K].</summary>
    public required Operand Taps { get; init; }

    /// <summary>[T], where each token's document begins.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>As the forward's.</summary>
    public required Operand States { get; init; }

    /// <summary>[T, D].</summary>
    public required Operand GradY { get; init; }

    /// <summary>
    /// Gradients of the states, one a chunk: that of this chunk's is read, where a later chunk has written it, that of the one before is
    /// written.
    /// </summary>
    public required Operand GradStates { get; init; }

    /// <summary>This chunk's of these.</summary>
    public required Operand GradState { get; init; }

    /// <summary>[T, 3 D].</summary>
    public required Operand GradX { get; init; }

    /// <summary>[D, K]; null where the taps are frozen.</summary>
    public required Operand? GradTaps { get; init; }

    /// <summary>Sums of groups of tokens.</summary>
    public required Operand Workspace { get; init; }

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) =>
        KernelWork.Memory((2.0 * at.Place(X).Size.Value) + at.Place(GradY).Size.Value);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(X, Taps, FirstKey, States, GradY, GradState);
        all.Write(GradX, Workspace);
        all.Update(GradStates, GradTaps);
    }
}
