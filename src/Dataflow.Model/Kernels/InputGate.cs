namespace Dataflow.Model;

/// <summary>y = activation(gate) x, of an input that is some columns of a wider one.</summary>
public sealed record InputGateForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.InputGateForward;

    /// <summary>Of the gate.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, P].</summary>
    public required Operand Gate { get; init; }

    /// <summary>[T, P].</summary>
    public required Operand Input { get; init; }

    /// <summary>[T, P].</summary>
    public required Operand Y { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Gate, Input);
        all.Write(Y);
    }
}

/// <summary>In place: the gradient of y becomes y, the gate becomes its gradient; and that of the input.</summary>
public sealed record InputGateBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.InputGateBackward;

    /// <summary>Of the gate.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, P].</summary>
    public required Operand Gradient { get; init; }

    /// <summary>[T, P].</summary>
    public required Operand Gate { get; init; }

    /// <summary>[T, P].</summary>
    public required Operand Input { get; init; }

    /// <summary>[T, P]; null where nobody wants it.</summary>
    public required Operand? GradInput { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Input);
        all.Write(GradInput);
        all.Update(Gradient, Gate);
    }
}
