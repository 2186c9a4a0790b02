namespace Dataflow.Model;

/// <summary>
/// The recurrence of each head, over blocks of tokens (<see cref="KernelWorkspace.RecurrenceRows"/>): S = decay S, e = beta (v - S^T k) or,
/// in a state space, e = beta v, S = S + k e^T, y = S^T q, within documents, with beta and decay of the gates; where it corrects, q and k
/// are of length 1. A chunk leaves S for the next chunk of its row, behind what the convolution leaves.
/// </summary>
public sealed record LinearRecurrenceForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.LinearRecurrenceForward;

    /// <summary>Heads and widths.</summary>
    public required Recurrence Shape { get; init; }

    /// <summary>[T, channels]: queries, keys, values.</summary>
    public required Operand Channels { get; init; }

    /// <summary>[T, gates]: b, then a; a alone in a state space.</summary>
    public required Operand Gates { get; init; }

    /// <summary>[heads], the logarithm of the rate of decay.</summary>
    public required Operand Decay { get; init; }

    /// <summary>[heads], added to a.</summary>
    public required Operand StepBias { get; init; }

    /// <summary>[heads], by which values are added to the result in a state space; null: they are not.</summary>
    public Operand? Skip { get; init; }

    /// <summary>[T], where each token's document begins.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>The states of the row's chunks so far, one a chunk: the one before this chunk's is read.</summary>
    public required Operand States { get; init; }

    /// <summary>The state after this chunk; null where it is not wanted.</summary>
    public required Operand? State { get; init; }

    /// <summary>[T, heads x value width]; null where it is not wanted.</summary>
    public required Operand? Y { get; init; }

    /// <summary>What blocks of tokens keep.</summary>
    public required Operand Workspace { get; init; }

    /// <inheritdoc/>
    public override KernelCall Only(Func<Operand, bool> wanted) =>
        this with
        {
            State = State is { } state && wanted(state) ? state : null,
            Y = Y is { } y && wanted(y) ? y : null,
        };

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) => RecurrenceWork.Of(Shape, at, forward: true);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Channels, Gates, Decay, StepBias, Skip, FirstKey, States);
        all.Write(State, Y, Workspace);
    }
}

/// <summary>
/// Gradients of queries, keys, values and gates, of both vectors, and of the state before the chunk, which takes in that of the state after
/// it.
/// </summary>
public sealed record LinearRecurrenceBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.LinearRecurrenceBackward;

    /// <summary>Heads and widths.</summary>
    public required Recurrence Shape { get; init; }

    /// <summary>[T, channels].</summary>
    public required Operand Channels { get; init; }

    /// <summary>[T, gates].</summary>
    public required Operand Gates { get; init; }

    /// <summary>[heads].</summary>
    public required Operand Decay { get; init; }

    /// <summary>[heads].</summary>
    public required Operand StepBias { get; init; }

    /// <summary>[heads], by which values are added to the result in a state space; null: they are not.</summary>
    public Operand? Skip { get; init; }

    /// <summary>[T], where each token's document begins.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>As the forward's.</summary>
    public required Operand States { get; init; }

    /// <summary>[T, heads x value width].</summary>
    public required Operand GradY { get; init; }

    /// <summary>
    /// Gradients of the states, one a chunk: that of this chunk's is read, where a later chunk has written it, that of the one before is
    /// written. Where no later chunk has, all of them become 0 first.
    /// </summary>
    public required Operand GradStates { get; init; }

    /// <summary>This chunk's of these.</summary>
    public required Operand GradState { get; init; }

    /// <summary>[T, channels].</summary>
    public required Operand GradChannels { get; init; }

    /// <summary>[T, gates].</summary>
    public required Operand GradGates { get; init; }

    /// <summary>[heads]; null where it is frozen.</summary>
    public required Operand? GradDecay { get; init; }

    /// <summary>[heads]; null where it is frozen.</summary>
    public required Operand? GradStepBias { get; init; }

    /// <summary>[heads]; null where there is none or it is frozen.</summary>
    public Operand? GradSkip { get; init; }

    /// <summary>What blocks of tokens keep.</summary>
    public required Operand Workspace { get; init; }

    /// <inheritdoc/>
    public override KernelWork Work(in CallShapes at) => RecurrenceWork.Of(Shape, at, forward: false);

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Channels, Gates, Decay, StepBias, Skip, FirstKey, States, GradY, GradState);
        all.Write(GradChannels, GradGates, Workspace);
        all.Update(GradStates, GradDecay, GradStepBias, GradSkip);
    }
}

/// <summary>
/// The work of a recurrence: within a block each token meets the keys before it, as in attention, and what goes from block to block are
/// products with the state.
/// </summary>
internal static class RecurrenceWork
{
    /// <summary>Of a chunk.</summary>
    public static KernelWork Of(Recurrence shape, in CallShapes at, bool forward)
    {
        double block = KernelWorkspace.RecurrenceRows, tokens = at.Geometry.ChunkTokens;
        var (key, value) = (shape.KeyDim, shape.ValueDim);

        // For a token and a head, half a block of keys: forward products of keys with keys and queries, their sums of what is written and
        // its solution; with the state, two that read and one that writes. Backward these again, and twice as many.
        double within = block * (key + key + value + value), state = 6.0 * key * value;
        double flops = tokens * shape.Heads * (within + state);
        return new KernelWork(
            forward ? KernelClass.AttentionForward : KernelClass.AttentionBackward, forward ? flops : 3 * flops, 0, tokens, block, key)
        {
            SideBySide = shape.Heads * KernelWorkspace.RecurrenceRuns(shape),
        };
    }
}
