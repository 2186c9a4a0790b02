using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>ffn = activation(up).</summary>
public readonly record struct UngatedActivationForwardArguments : IKernelArguments
{
    /// <summary>Of each element.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, F].</summary>
    public required Tensor Up { get; init; }

    /// <summary>[T, F].</summary>
    public required Tensor Ffn { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static UngatedActivationForwardArguments Of(UngatedActivationForwardCall call, in OpOperands at) =>
        new()
        {
            Activation = call.Activation,
            Up = at.Tensor(call.Up),
            Ffn = at.Tensor(call.Ffn),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.UngatedActivationForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Up);
        accesses.Write(Ffn);
    }
}

/// <summary>In place: dffn becomes ffn, up becomes its gradient.</summary>
public readonly record struct UngatedActivationBackwardArguments : IKernelArguments
{
    /// <summary>Of each element.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, F], becomes ffn.</summary>
    public required Tensor GradFfn { get; init; }

    /// <summary>[T, F], becomes its gradient.</summary>
    public required Tensor Up { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static UngatedActivationBackwardArguments Of(UngatedActivationBackwardCall call, in OpOperands at) =>
        new()
        {
            Activation = call.Activation,
            GradFfn = at.Tensor(call.GradFfn),
            Up = at.Tensor(call.Up),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.UngatedActivationBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(GradFfn);
        accesses.Update(Up);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="UngatedActivationForwardArguments"/>
    void UngatedActivationForward(in UngatedActivationForwardArguments call);

    /// <inheritdoc cref="UngatedActivationBackwardArguments"/>
    void UngatedActivationBackward(in UngatedActivationBackwardArguments call);
}
