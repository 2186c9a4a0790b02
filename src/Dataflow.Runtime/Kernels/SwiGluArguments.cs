namespace Dataflow.Runtime;

/// <summary>ffn = silu(gate) up.</summary>
public readonly record struct SwiGluForwardArguments : IKernelArguments
{
    /// <summary>[T, 2 F]: gate, then up.</summary>
    public required Tensor GateUp { get; init; }

    /// <summary>[T, F].</summary>
    public required Tensor Ffn { get; init; }

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

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(GradFfn);
        accesses.Update(GateUp);
    }
}
