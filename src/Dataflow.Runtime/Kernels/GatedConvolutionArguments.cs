using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// y = c conv(b h), conv a causal convolution of each column alone within documents: conv[t] = the sum over j below K of taps[K - 1 - j]
/// u[t - j], u = b h rounded to its type. Rows before the chunk are in the state that the chunk before left.
/// </summary>
public readonly record struct GatedConvolutionForwardArguments : IKernelArguments
{
    /// <summary>[T, 3 D]: b, c, h.</summary>
    public required Tensor X { get; init; }

    /// <summary>[D, K].</summary>
    public required Tensor Taps { get; init; }

    /// <summary>Where the tokens are.</summary>
    public required ChunkContext At { get; init; }

    /// <summary>[K - 1, D] u of the tokens before the chunk; null where it is the first of its rows.</summary>
    public required Tensor? Before { get; init; }

    /// <summary>[K - 1, D] u of the last tokens; null where nobody wants it.</summary>
    public required Tensor? After { get; init; }

    /// <summary>Bytes from the state's first on that are its own: what it does not fill becomes 0.</summary>
    public required long AfterBytes { get; init; }

    /// <summary>[T, D]; null where nobody wants it.</summary>
    public required Tensor? Y { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static GatedConvolutionForwardArguments Of(GatedConvolutionForwardCall call, in OpOperands at) =>
        new()
        {
            X = at.Tensor(call.X),
            Taps = at.Tensor(call.Taps),
            At = at.Context(call.FirstKey),
            Before = ChunkState.Before(call.States, call.FirstKey, ChunkState.OfTaps(call.Taps, at), at),
            After = call.State is { } state ? ChunkState.After(state, ChunkState.OfTaps(call.Taps, at), at) : null,
            AfterBytes = ChunkState.BytesAfter(call.State, ChunkState.OfTaps(call.Taps, at), at),
            Y = at.Tensor(call.Y),
        };

    /// <summary>The state takes the place of the one before: nothing may write it while that is read.</summary>
    public bool IsInPlace => ChunkState.IsInPlace(Before, After);

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.GatedConvolutionForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(X);
        accesses.Read(Taps);
        At.Declare(accesses, X.Rows);
        accesses.Read(Before);
        if (After is { } after)
        {
            accesses.Write(after.Address, AfterBytes);
        }

        accesses.Write(Y);
    }
}

/// <summary>
/// Gradients of b, c, h and the taps; the gradient of u before the chunk goes into that of the state that the chunk before left. With
/// <see cref="Accumulate"/> a later chunk has left the gradient of this chunk's state; else there is none, and all states' begin at 0.
/// </summary>
public readonly record struct GatedConvolutionBackwardArguments : IKernelArguments
{
    /// <summary>[T, 3 D]: b, c, h.</summary>
    public required Tensor X { get; init; }

    /// <summary>[D, K].</summary>
    public required Tensor Taps { get; init; }

    /// <summary>Where the tokens are.</summary>
    public required ChunkContext At { get; init; }

    /// <summary>[K - 1, D] u of the tokens before the chunk; null where it is the first of its rows.</summary>
    public required Tensor? Before { get; init; }

    /// <summary>[T, D].</summary>
    public required Tensor GradY { get; init; }

    /// <summary>fp32: gradients of the states up to this chunk's, one a chunk, as rows.</summary>
    public required Tensor GradStates { get; init; }

    /// <summary>[K - 1, D] fp32: that of the state before the chunk; null where it is the first of its rows.</summary>
    public required Tensor? GradBefore { get; init; }

    /// <summary>[K - 1, D] fp32: that of the state after it; null where no later chunk has left one.</summary>
    public required Tensor? GradAfter { get; init; }

    /// <summary>A later chunk has left its gradient.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>[T, 3 D].</summary>
    public required Tensor GradX { get; init; }

    /// <summary>[D, K]; null where nobody wants it.</summary>
    public required Tensor? GradTaps { get; init; }

    /// <summary>Whether the taps' gradient is added to.</summary>
    public required bool AccumulateTaps { get; init; }

    /// <summary><see cref="KernelWorkspace.Convolution"/> bytes.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static GatedConvolutionBackwardArguments Of(GatedConvolutionBackwardCall call, in OpOperands at)
    {
        var context = at.Context(call.FirstKey);
        bool accumulate = at.Accumulates(call.GradStates);
        return new()
        {
            X = at.Tensor(call.X),
            Taps = at.Tensor(call.Taps),
            At = context,
            Before = ChunkState.Before(call.States, call.FirstKey, ChunkState.OfTaps(call.Taps, at), at),
            GradY = at.Tensor(call.GradY),
            GradStates = at.Tensor(call.GradStates) with { Rows = context.Row + at.ChunkTokens },
            GradBefore = ChunkState.Before(call.GradStates, call.FirstKey, ChunkState.OfTaps(call.Taps, at), at),
            GradAfter = accumulate ? ChunkState.After(call.GradState, ChunkState.OfTaps(call.Taps, at), at) : null,
            Accumulate = accumulate,
            GradX = at.Tensor(call.GradX),
            GradTaps = at.Tensor(call.GradTaps),
            AccumulateTaps = call.GradTaps is { } sum && at.Accumulates(sum),
            Workspace = at.Pointer(call.Workspace),
        };
    }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.GatedConvolutionBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(X);
        accesses.Read(Taps);
        At.Declare(accesses, X.Rows);
        accesses.Read(Before);
        accesses.Read(GradY);
        accesses.Sum(GradStates, Accumulate);
        accesses.Write(GradX);
        accesses.Sum(GradTaps, AccumulateTaps);
        accesses.Update(Workspace, KernelWorkspace.Convolution(X.Rows, Taps.Rows, Taps.Columns).Value);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="GatedConvolutionForwardArguments"/>
    void GatedConvolutionForward(in GatedConvolutionForwardArguments call);

    /// <inheritdoc cref="GatedConvolutionBackwardArguments"/>
    void GatedConvolutionBackward(in GatedConvolutionBackwardArguments call);
}
