using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>x times one number, in place.</summary>
public readonly record struct ScaleArguments : IKernelArguments
{
    /// <summary>[T, D].</summary>
    public required Tensor X { get; init; }

    /// <summary>[1].</summary>
    public required Tensor Factor { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static ScaleArguments Of(ScaleCall call, in OpOperands at) =>
        new()
        {
            X = at.Tensor(call.X),
            Factor = at.Tensor(call.Factor),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.Scale(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(X);
        accesses.Read(Factor);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="ScaleArguments"/>
    void Scale(in ScaleArguments call);
}
