using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>ffn = silu(gate) up.</summary>
public readonly record struct SwiGluForwardArguments : IKernelArguments
{
    /// <summary>[T, 2 F]: gate, then up.</summary>
    public required Tensor GateUp { get; init; }

    /// <summary>[T, F].</summary>
    public required Tensor Ffn { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static SwiGluForwardArguments Of(SwiGluForwardCall call, in OpOperands at) => new() { GateUp = at.Tensor(call.GateUp), Ffn = at.Tensor(call.Ffn) };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.SwiGluForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(GateUp);
        accesses.Write(Ffn);
    }
}

/// <summary>In place: dffn becomes ffn, gate and up become their gradients.</summary>
public readonly record struct SwiGluBackwardArguments : IKernelArguments
{
    /// <summary>[T, F], becomes ffn.</summary>
    public required Tensor GradFfn { get; init; }

    /// <summary>[T, 2 F], becomes its gradient.</summary>
    public required Tensor GateUp { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static SwiGluBackwardArguments Of(SwiGluBackwardCall call, in OpOperands at) => new() { GradFfn = at.Tensor(call.GradFfn), GateUp = at.Tensor(call.GateUp) };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.SwiGluBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(GradFfn);
        accesses.Update(GateUp);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="SwiGluForwardArguments"/>
    void SwiGluForward(in SwiGluForwardArguments call);

    /// <inheritdoc cref="SwiGluBackwardArguments"/>
    void SwiGluBackward(in SwiGluBackwardArguments call);
}
