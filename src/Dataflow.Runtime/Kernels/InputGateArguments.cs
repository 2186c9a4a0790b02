using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>y = activation(gate) x, of an x whose rows need not follow each other.</summary>
public readonly record struct InputGateForwardArguments : IKernelArguments
{
    /// <summary>Of the gate.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, P].</summary>
    public required Tensor Gate { get; init; }

    /// <summary>[T, P], columns of a wider one.</summary>
    public required Tensor Input { get; init; }

    /// <summary>[T, P].</summary>
    public required Tensor Y { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static InputGateForwardArguments Of(InputGateForwardCall call, in OpOperands at) =>
        new()
        {
            Activation = call.Activation,
            Gate = at.Tensor(call.Gate),
            Input = at.Tensor(call.Input),
            Y = at.Tensor(call.Y),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.InputGateForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Gate);
        accesses.Read(Input);
        accesses.Write(Y);
    }
}

/// <summary>In place: the gradient of y becomes y, the gate becomes its gradient; and that of x.</summary>
public readonly record struct InputGateBackwardArguments : IKernelArguments
{
    /// <summary>Of the gate.</summary>
    public required Activation Activation { get; init; }

    /// <summary>[T, P].</summary>
    public required Tensor Gradient { get; init; }

    /// <summary>[T, P].</summary>
    public required Tensor Gate { get; init; }

    /// <summary>[T, P], columns of a wider one.</summary>
    public required Tensor Input { get; init; }

    /// <summary>[T, P], columns of a wider one, with the input's distance of rows; null where nobody wants it.</summary>
    public required Tensor? GradInput { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static InputGateBackwardArguments Of(InputGateBackwardCall call, in OpOperands at) =>
        new()
        {
            Activation = call.Activation,
            Gradient = at.Tensor(call.Gradient),
            Gate = at.Tensor(call.Gate),
            Input = at.Tensor(call.Input),
            GradInput = at.Tensor(call.GradInput),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.InputGateBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(Gradient);
        accesses.Update(Gate);
        accesses.Read(Input);
        accesses.Write(GradInput);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="InputGateForwardArguments"/>
    void InputGateForward(in InputGateForwardArguments call);

    /// <inheritdoc cref="InputGateBackwardArguments"/>
    void InputGateBackward(in InputGateBackwardArguments call);
}
