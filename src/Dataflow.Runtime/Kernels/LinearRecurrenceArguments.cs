using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// Of each head, over the tokens t of a document: S = exp(g) S, e = beta (v - S^T k), S = S + k e^T, y = S^T q, with beta = sigma(b),
/// g = -exp(decay) softplus(a + bias), k and q of length 1 (x rsqrt(sum x^2 + 1e-6)) and q then times 1 / sqrt(key width). A state space
/// has beta = softplus(a + bias) within its bounds, g = -exp(decay) beta, e = beta v, y = S^T q + skip v, and k and q as they are.
/// </summary>
public readonly record struct LinearRecurrenceForwardArguments : IKernelArguments
{
    /// <summary>Heads and widths.</summary>
    public required Recurrence Shape { get; init; }

    /// <summary>[T, channels]: q, k, v.</summary>
    public required Tensor Channels { get; init; }

    /// <summary>[T, gates]: b, a; a alone in a state space.</summary>
    public required Tensor Gates { get; init; }

    /// <summary>[heads].</summary>
    public required Tensor Decay { get; init; }

    /// <summary>[heads].</summary>
    public required Tensor StepBias { get; init; }

    /// <summary>[heads], by which v is added to y in a state space; null: it is not.</summary>
    public Tensor? Skip { get; init; }

    /// <summary>Where the tokens are.</summary>
    public required ChunkContext At { get; init; }

    /// <summary>[heads x key width, value width] fp32, S before the chunk; null where it is the first of its rows.</summary>
    public required Tensor? Before { get; init; }

    /// <summary>Likewise after it; null where nobody wants it.</summary>
    public required Tensor? After { get; init; }

    /// <summary>[T, heads x value width]; null where nobody wants it.</summary>
    public required Tensor? Y { get; init; }

    /// <summary><see cref="KernelWorkspace.LinearRecurrence"/> bytes.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static LinearRecurrenceForwardArguments Of(LinearRecurrenceForwardCall call, in OpOperands at)
    {
        var part = ChunkState.OfHeads(call.Shape);
        return new()
        {
            Shape = call.Shape,
            Channels = at.Tensor(call.Channels),
            Gates = at.Tensor(call.Gates),
            Decay = at.Tensor(call.Decay),
            StepBias = at.Tensor(call.StepBias),
            Skip = at.Tensor(call.Skip),
            At = at.Context(call.FirstKey),
            Before = ChunkState.Before(call.States, call.FirstKey, part, at),
            After = call.State is { } state ? ChunkState.After(state, part, at) : null,
            Y = at.Tensor(call.Y),
            Workspace = at.Pointer(call.Workspace),
        };
    }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.LinearRecurrenceForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Channels);
        accesses.Read(Gates);
        accesses.Read(Decay);
        accesses.Read(StepBias);
        accesses.Read(Skip);
        At.Declare(accesses, Channels.Rows);
        accesses.Read(Before);
        accesses.Write(After);
        accesses.Write(Y);
        accesses.Update(Workspace, KernelWorkspace.LinearRecurrence(Channels.Rows, Shape).Value);
    }
}

/// <summary>
/// Gradients of q, k, v, b, a and both vectors; the gradient of S before the chunk goes into that of the state that the chunk before left.
/// With <see cref="Accumulate"/> a later chunk has left the gradient of this chunk's state; else there is none, and all states' begin at 0.
/// </summary>
public readonly record struct LinearRecurrenceBackwardArguments : IKernelArguments
{
    /// <summary>Heads and widths.</summary>
    public required Recurrence Shape { get; init; }

    /// <summary>[T, channels]: q, k, v.</summary>
    public required Tensor Channels { get; init; }

    /// <summary>[T, gates]: b, a; a alone in a state space.</summary>
    public required Tensor Gates { get; init; }

    /// <summary>[heads].</summary>
    public required Tensor Decay { get; init; }

    /// <summary>[heads].</summary>
    public required Tensor StepBias { get; init; }

    /// <summary>[heads], by which v is added to y in a state space; null: it is not.</summary>
    public Tensor? Skip { get; init; }

    /// <summary>Where the tokens are.</summary>
    public required ChunkContext At { get; init; }

    /// <summary>[heads x key width, value width] fp32, S before the chunk; null where it is the first of its rows.</summary>
    public required Tensor? Before { get; init; }

    /// <summary>[T, heads x value width].</summary>
    public required Tensor GradY { get; init; }

    /// <summary>fp32: gradients of the states up to this chunk's, one a chunk, as rows.</summary>
    public required Tensor GradStates { get; init; }

    /// <summary>Of S before the chunk; null where it is the first of its rows.</summary>
    public required Tensor? GradBefore { get; init; }

    /// <summary>Of S after it; null where no later chunk has left one.</summary>
    public required Tensor? GradAfter { get; init; }

    /// <summary>A later chunk has left its gradient.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>[T, channels].</summary>
    public required Tensor GradChannels { get; init; }

    /// <summary>[T, gates].</summary>
    public required Tensor GradGates { get; init; }

    /// <summary>[heads]; null where nobody wants it.</summary>
    public required Tensor? GradDecay { get; init; }

    /// <summary>[heads]; null where nobody wants it.</summary>
    public required Tensor? GradStepBias { get; init; }

    /// <summary>[heads]; null where nobody wants it.</summary>
    public Tensor? GradSkip { get; init; }

    /// <summary>Whether these three are added to.</summary>
    public required bool AccumulateVectors { get; init; }

    /// <summary><see cref="KernelWorkspace.LinearRecurrence"/> bytes.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static LinearRecurrenceBackwardArguments Of(LinearRecurrenceBackwardCall call, in OpOperands at)
    {
        var (context, part) = (at.Context(call.FirstKey), ChunkState.OfHeads(call.Shape));
        bool accumulate = at.Accumulates(call.GradStates);
        return new()
        {
            Shape = call.Shape,
            Channels = at.Tensor(call.Channels),
            Gates = at.Tensor(call.Gates),
            Decay = at.Tensor(call.Decay),
            StepBias = at.Tensor(call.StepBias),
            Skip = at.Tensor(call.Skip),
            At = context,
            Before = ChunkState.Before(call.States, call.FirstKey, part, at),
            GradY = at.Tensor(call.GradY),
            GradStates = at.Tensor(call.GradStates) with { Rows = context.Row + at.ChunkTokens },
            GradBefore = ChunkState.Before(call.GradStates, call.FirstKey, part, at),
            GradAfter = accumulate ? ChunkState.After(call.GradState, part, at) : null,
            Accumulate = accumulate,
            GradChannels = at.Tensor(call.GradChannels),
            GradGates = at.Tensor(call.GradGates),
            GradDecay = at.Tensor(call.GradDecay),
            GradStepBias = at.Tensor(call.GradStepBias),
            GradSkip = at.Tensor(call.GradSkip),
            AccumulateVectors = (call.GradDecay ?? call.GradStepBias ?? call.GradSkip) is { } sum && at.Accumulates(sum),
            Workspace = at.Pointer(call.Workspace),
        };
    }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.LinearRecurrenceBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Channels);
        accesses.Read(Gates);
        accesses.Read(Decay);
        accesses.Read(StepBias);
        accesses.Read(Skip);
        At.Declare(accesses, Channels.Rows);
        accesses.Read(Before);
        accesses.Read(GradY);
        accesses.Sum(GradStates, Accumulate);
        accesses.Write(GradChannels);
        accesses.Write(GradGates);
        accesses.Sum(GradDecay, AccumulateVectors);
        accesses.Sum(GradStepBias, AccumulateVectors);
        accesses.Sum(GradSkip, AccumulateVectors);
        accesses.Update(Workspace, KernelWorkspace.LinearRecurrence(Channels.Rows, Shape).Value);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="LinearRecurrenceForwardArguments"/>
    void LinearRecurrenceForward(in LinearRecurrenceForwardArguments call);

    /// <inheritdoc cref="LinearRecurrenceBackwardArguments"/>
    void LinearRecurrenceBackward(in LinearRecurrenceBackwardArguments call);
}
