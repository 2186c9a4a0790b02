using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// Keys and values of latent attention: of each head the key, in either half first a half of what is turned, then a half of what is not;
/// then of each head the value, with zeros behind it. Widths follow from the operands and the heads.
/// </summary>
public readonly record struct JoinHeadsArguments : IKernelArguments
{
    /// <summary>[T, heads x (plain + value)]: of each head the part of its key that is not turned, then its value.</summary>
    public required Tensor Up { get; init; }

    /// <summary>[T, rotated], of all heads.</summary>
    public required Tensor Rotated { get; init; }

    /// <summary>[T, 2 heads x head_dim], overwritten.</summary>
    public required Tensor KeyValue { get; init; }

    /// <summary>Heads of keys.</summary>
    public required int Heads { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static JoinHeadsArguments Of(JoinHeadsCall call, in OpOperands at) =>
        new()
        {
            Up = at.Tensor(call.Up),
            Rotated = at.Tensor(call.Rotated),
            KeyValue = at.Tensor(call.KeyValue),
            Heads = at.Heads.KvHeads,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.JoinHeads(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Up);
        accesses.Read(Rotated);
        accesses.Write(KeyValue);
    }
}

/// <summary>The gradients of both, that of the turned part summed over heads, in their order.</summary>
public readonly record struct SplitHeadsArguments : IKernelArguments
{
    /// <summary>[T, 2 heads x head_dim] fp32.</summary>
    public required Tensor GradKeyValue { get; init; }

    /// <summary>[T, heads x (plain + value)], overwritten.</summary>
    public required Tensor GradUp { get; init; }

    /// <summary>[T, rotated], overwritten.</summary>
    public required Tensor GradRotated { get; init; }

    /// <summary>Heads of keys.</summary>
    public required int Heads { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static SplitHeadsArguments Of(SplitHeadsCall call, in OpOperands at) =>
        new()
        {
            GradKeyValue = at.Tensor(call.GradKeyValue),
            GradUp = at.Tensor(call.GradUp),
            GradRotated = at.Tensor(call.GradRotated),
            Heads = at.Heads.KvHeads,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.SplitHeads(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(GradKeyValue);
        accesses.Write(GradUp);
        accesses.Write(GradRotated);
    }
}

/// <summary>The first columns of each head, with zeros behind them where heads become wider.</summary>
public readonly record struct ResizeHeadsArguments : IKernelArguments
{
    /// <summary>[T, heads x any].</summary>
    public required Tensor From { get; init; }

    /// <summary>[T, heads x any], of the same type, overwritten.</summary>
    public required Tensor To { get; init; }

    /// <summary>Heads of both.</summary>
    public required int Heads { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static ResizeHeadsArguments Of(ResizeHeadsCall call, in OpOperands at) =>
        new()
        {
            From = at.Tensor(call.From),
            To = at.Tensor(call.To),
            Heads = at.Heads.Heads,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.ResizeHeads(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(From);
        accesses.Write(To);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="JoinHeadsArguments"/>
    void JoinHeads(in JoinHeadsArguments call);

    /// <inheritdoc cref="SplitHeadsArguments"/>
    void SplitHeads(in SplitHeadsArguments call);

    /// <inheritdoc cref="ResizeHeadsArguments"/>
    void ResizeHeads(in ResizeHeadsArguments call);
}
