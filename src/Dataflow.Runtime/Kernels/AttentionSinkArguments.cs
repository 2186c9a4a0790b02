using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// In place: with a sink s, the logsumexp l becomes log(exp(l) + exp(s)), and the output is scaled as the change of exp(l).
/// </summary>
public readonly record struct AttentionSinkForwardArguments : IKernelArguments
{
    /// <summary>[1, heads].</summary>
    public required Tensor Sinks { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor Output { get; init; }

    /// <summary>[heads, T] fp32.</summary>
    public required nuint Lse { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static AttentionSinkForwardArguments Of(AttentionSinkForwardCall call, in OpOperands at) =>
        new()
        {
            Sinks = at.Tensor(call.Sinks),
            Output = at.Tensor(call.Output),
            Lse = at.Pointer(call.Lse),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.AttentionSinkForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Sinks);
        accesses.Update(Output);
        accesses.Update(Lse, KernelAccesses.Floats((long)Sinks.Columns * Output.Rows));
    }
}

/// <summary>ds (+)= of each head the sum over tokens of -exp(s - l) do o, with l and o as the forward left them.</summary>
public readonly record struct AttentionSinkBackwardArguments : IKernelArguments
{
    /// <summary>[1, heads].</summary>
    public required Tensor Sinks { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor Output { get; init; }

    /// <summary>[heads, T] fp32.</summary>
    public required nuint Lse { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor GradOutput { get; init; }

    /// <summary>[1, heads].</summary>
    public required Tensor GradSinks { get; init; }

    /// <summary>Whether ds is added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static AttentionSinkBackwardArguments Of(AttentionSinkBackwardCall call, in OpOperands at) =>
        new()
        {
            Sinks = at.Tensor(call.Sinks),
            Output = at.Tensor(call.Output),
            Lse = at.Pointer(call.Lse),
            GradOutput = at.Tensor(call.GradOutput),
            GradSinks = at.Tensor(call.GradSinks),
            Accumulate = at.Accumulates(call.GradSinks),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.AttentionSinkBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Sinks);
        accesses.Read(Output);
        accesses.Floats(Lse, Sinks.Columns * Output.Rows);
        accesses.Read(GradOutput);
        accesses.Sum(GradSinks, Accumulate);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="AttentionSinkForwardArguments"/>
    void AttentionSinkForward(in AttentionSinkForwardArguments call);

    /// <inheritdoc cref="AttentionSinkBackwardArguments"/>
    void AttentionSinkBackward(in AttentionSinkBackwardArguments call);
}
