using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>c (+)= the sum of the rows of a.</summary>
public readonly record struct ColumnSumArguments : IKernelArguments
{
    /// <summary>[T, out].</summary>
    public required Tensor A { get; init; }

    /// <summary>[out].</summary>
    public required Tensor C { get; init; }

    /// <summary>Whether c is added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static ColumnSumArguments Of(ColumnSumCall call, in OpOperands at) =>
        new()
        {
            A = at.Tensor(call.A),
            C = at.Tensor(call.C),
            Accumulate = at.Accumulates(call.C),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.ColumnSum(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(A);
        accesses.Sum(C, Accumulate);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="ColumnSumArguments"/>
    void ColumnSum(in ColumnSumArguments call);
}
