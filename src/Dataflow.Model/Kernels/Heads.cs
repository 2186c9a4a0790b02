namespace Dataflow.Model;

/// <summary>
/// Keys and values of latent attention (<see cref="LatentAttention"/>) as attention takes them: each head's key is its own part and the
/// turned part of all heads, in the order of queries; zeros stand behind its value.
/// </summary>
public sealed record JoinHeadsCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.JoinHeads;

    /// <summary>[T, heads x (plain + value)].</summary>
    public required Operand Up { get; init; }

    /// <summary>[T, rotated].</summary>
    public required Operand Rotated { get; init; }

    /// <summary>[T, 2 kv].</summary>
    public required Operand KeyValue { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Up, Rotated);
        all.Write(KeyValue);
    }
}

/// <summary>The gradients of both from those of keys and values, that of the turned part summed over heads.</summary>
public sealed record SplitHeadsCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.SplitHeads;

    /// <summary>[T, 2 kv] fp32.</summary>
    public required Operand GradKeyValue { get; init; }

    /// <summary>[T, heads x (plain + value)].</summary>
    public required Operand GradUp { get; init; }

    /// <summary>[T, rotated].</summary>
    public required Operand GradRotated { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(GradKeyValue);
        all.Write(GradUp, GradRotated);
    }
}

/// <summary>The first columns of each head, as many as heads of another width have; zeros behind them where these are wider.</summary>
public sealed record ResizeHeadsCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.ResizeHeads;

    /// <summary>[T, heads x any].</summary>
    public required Operand From { get; init; }

    /// <summary>[T, heads x any].</summary>
    public required Operand To { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(From);
        all.Write(To);
    }
}
