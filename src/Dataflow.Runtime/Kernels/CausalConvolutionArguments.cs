using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// y = silu(conv(x)), conv a causal convolution of each column alone within documents: conv[t] = the sum over j below K of taps[K - 1 - j]
/// x[t - j]. Rows before the chunk are in the state that the chunk before left.
/// </summary>
public readonly record struct CausalConvolutionForwardArguments : IKernelArguments
{
    /// <summary>[T, C].</summary>
    public required Tensor X { get; init; }

    /// <summary>[C, K].</summary>
    public required Tensor Taps { get; init; }

    /// <summary>[C], added to conv; null adds nothing.</summary>
    public Tensor? Bias { get; init; }

    /// <summary>Where the tokens are.</summary>
    public required ChunkContext At { get; init; }

    /// <summary>[K - 1, C] fp32, x of the tokens before the chunk; null where it is the first of its rows.</summary>
    public required Tensor? Before { get; init; }

    /// <summary>[K - 1, C] fp32, x of the last tokens; null where nobody wants it.</summary>
    public required Tensor? After { get; init; }

    /// <summary>Bytes from the state's first on that are the chunk's: those behind the K - 1 rows become 0.</summary>
    public required long AfterBytes { get; init; }

    /// <summary>[T, C].</summary>
    public required Tensor Y { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static CausalConvolutionForwardArguments Of(CausalConvolutionForwardCall call, in OpOperands at) =>
        new()
        {
            X = at.Tensor(call.X),
            Taps = at.Tensor(call.Taps),
            Bias = at.Tensor(call.Bias),
            At = at.Context(call.FirstKey),
            Before = ChunkState.Before(call.States, call.FirstKey, ChunkState.OfTaps(call.Taps, at), at),
            After = call.State is { } state ? ChunkState.After(state, ChunkState.OfTaps(call.Taps, at), at) : null,
            AfterBytes = ChunkState.BytesAfter(call.State, ChunkState.OfTaps(call.Taps, at), at),
            Y = at.Tensor(call.Y),
        };

    /// <summary>The state takes the place of the one before: nothing may write it while that is read.</summary>
    public bool IsInPlace => ChunkState.IsInPlace(Before, After);

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.CausalConvolutionForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(X);
        accesses.Read(Taps);
        accesses.Read(Bias);
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
/// Gradients of x and the taps; the gradient of x before the chunk goes into that of the state that the chunk before left. A later chunk
/// may have left that of this chunk's state.
/// </summary>
public readonly record struct CausalConvolutionBackwardArguments : IKernelArguments
{
    /// <summary>[T, C].</summary>
    public required Tensor X { get; init; }

    /// <summary>[C, K].</summary>
    public required Tensor Taps { get; init; }

    /// <summary>[C], added to conv; null adds nothing.</summary>
    public Tensor? Bias { get; init; }

    /// <summary>Where the tokens are.</summary>
    public required ChunkContext At { get; init; }

    /// <summary>[K - 1, C] fp32, x of the tokens before the chunk; null where it is the first of its rows.</summary>
    public required Tensor? Before { get; init; }

    /// <summary>[T, C].</summary>
    public required Tensor GradY { get; init; }

    /// <summary>[K - 1, C] fp32: that of the state before the chunk; null where it is the first of its rows.</summary>
    public required Tensor? GradBefore { get; init; }

    /// <summary>[K - 1, C] fp32: that of the state after it; null where no later chunk has left one.</summary>
    public required Tensor? GradAfter { get; init; }

    /// <summary>[T, C].</summary>
    public required Tensor GradX { get; init; }

    /// <summary>[C, K]; null where nobody wants it.</summary>
    public required Tensor? GradTaps { get; init; }

    /// <summary>[C]; null where nobody wants it.</summary>
    public Tensor? GradBias { get; init; }

    /// <summary>Whether the gradients of taps and bias are added to.</summary>
    public required bool AccumulateTaps { get; init; }

    /// <summary><see cref="KernelWorkspace.Convolution"/> bytes, of one tap more.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static CausalConvolutionBackwardArguments Of(CausalConvolutionBackwardCall call, in OpOperands at)
    {
        var part = ChunkState.OfTaps(call.Taps, at);
        return new()
        {
            X = at.Tensor(call.X),
            Taps = at.Tensor(call.Taps),
            Bias = at.Tensor(call.Bias),
            At = at.Context(call.FirstKey),
            Before = ChunkState.Before(call.States, call.FirstKey, part, at),
            GradY = at.Tensor(call.GradY),
            GradBefore = ChunkState.Before(call.GradStates, call.FirstKey, part, at),
            GradAfter = at.Accumulates(call.GradStates) ? ChunkState.After(call.GradState, part, at) : null,
            GradX = at.Tensor(call.GradX),
            GradTaps = at.Tensor(call.GradTaps),
            GradBias = at.Tensor(call.GradBias),
            AccumulateTaps = (call.GradTaps ?? call.GradBias) is { } sum && at.Accumulates(sum),
            Workspace = at.Pointer(call.Workspace),
        };
    }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.CausalConvolutionBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(X);
        accesses.Read(Taps);
        accesses.Read(Bias);
        At.Declare(accesses, X.Rows);
        accesses.Read(Before);
        accesses.Read(GradY);
        accesses.Read(GradAfter);
        accesses.Write(GradBefore);
        accesses.Write(GradX);
        accesses.Sum(GradTaps, AccumulateTaps);
        accesses.Sum(GradBias, AccumulateTaps);
        accesses.Update(Workspace, KernelWorkspace.Convolution(X.Rows, Taps.Rows, Taps.Columns + 1).Value);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="CausalConvolutionForwardArguments"/>
    void CausalConvolutionForward(in CausalConvolutionForwardArguments call);

    /// <inheritdoc cref="CausalConvolutionBackwardArguments"/>
    void CausalConvolutionBackward(in CausalConvolutionBackwardArguments call);
}
