namespace Dataflow.Model;

/// <summary>
/// In place, behind attention: one more logit a head joins the softmax of every row, and its probability is dropped. With the row's
/// logsumexp l and the logit s, l' = log(exp(l) + exp(s)) and o' = o exp(l - l'): attention's backward takes o' and l' as if they were its
/// own.
/// </summary>
public sealed record AttentionSinkForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.AttentionSinkForward;

    /// <summary>[heads].</summary>
    public required Operand Sinks { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand Output { get; init; }

    /// <summary>[heads, T] fp32.</summary>
    public required Operand Lse { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Sinks);
        all.Update(Output, Lse);
    }
}

/// <summary>The gradient of the sinks: of each head the sum over tokens of -exp(s - l') do' o'.</summary>
public sealed record AttentionSinkBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.AttentionSinkBackward;

    /// <summary>[heads].</summary>
    public required Operand Sinks { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand Output { get; init; }

    /// <summary>[heads, T] fp32.</summary>
    public required Operand Lse { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand GradOutput { get; init; }

    /// <summary>[heads].</summary>
    public required Operand GradSinks { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Sinks, Output, Lse, GradOutput);
        all.Update(GradSinks);
    }
}
