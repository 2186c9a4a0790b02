namespace Dataflow.Model;

/// <summary>y = x sigma(gate): attention's output, gated by a product of its own.</summary>
public sealed record OutputGateForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.OutputGateForward;

    /// <summary>[T, q].</summary>
    public required Operand X { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand Gate { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand Y { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(X, Gate);
        all.Write(Y);
    }
}

/// <summary>The gradient of x in place of y's, and the gate's.</summary>
public sealed record OutputGateBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.OutputGateBackward;

    /// <summary>[T, q]: of y; becomes that of x.</summary>
    public required Operand Gradient { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand X { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand Gate { get; init; }

    /// <summary>[T, q].</summary>
    public required Operand GradGate { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(X, Gate);
        all.Write(GradGate);
        all.Update(Gradient);
    }
}
