using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>y = x sigma(gate).</summary>
public readonly record struct OutputGateForwardArguments : IKernelArguments
{
    /// <summary>[T, q].</summary>
    public required Tensor X { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor Gate { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor Y { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static OutputGateForwardArguments Of(OutputGateForwardCall call, in OpOperands at) =>
        new()
        {
            X = at.Tensor(call.X),
            Gate = at.Tensor(call.Gate),
            Y = at.Tensor(call.Y),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.OutputGateForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(X);
        accesses.Read(Gate);
        accesses.Write(Y);
    }
}

/// <summary>The gradient of x in place of y's, and that of the gate.</summary>
public readonly record struct OutputGateBackwardArguments : IKernelArguments
{
    /// <summary>[T, q]: of y; becomes that of x.</summary>
    public required Tensor Gradient { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor X { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor Gate { get; init; }

    /// <summary>[T, q].</summary>
    public required Tensor GradGate { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static OutputGateBackwardArguments Of(OutputGateBackwardCall call, in OpOperands at) =>
        new()
        {
            Gradient = at.Tensor(call.Gradient),
            X = at.Tensor(call.X),
            Gate = at.Tensor(call.Gate),
            GradGate = at.Tensor(call.GradGate),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.OutputGateBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(Gradient);
        accesses.Read(X);
        accesses.Read(Gate);
        accesses.Write(GradGate);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="OutputGateForwardArguments"/>
    void OutputGateForward(in OutputGateForwardArguments call);

    /// <inheritdoc cref="OutputGateBackwardArguments"/>
    void OutputGateBackward(in OutputGateBackwardArguments call);
}
