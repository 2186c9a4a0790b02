using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>to [T, C] = addend + scale times the sum of those K rows of from that each row names, in that order; rounded once.</summary>
public readonly record struct SumRowsArguments : IKernelArguments
{
    /// <summary>[any, C].</summary>
    public required Tensor From { get; init; }

    /// <summary>[T, K] int32, each below the rows of from.</summary>
    public required nuint Rows { get; init; }

    /// <summary>K.</summary>
    public required int Count { get; init; }

    /// <summary>[T, C], may be the result itself; null adds nothing.</summary>
    public required Tensor? Addend { get; init; }

    /// <summary>[T, C].</summary>
    public required Tensor To { get; init; }

    /// <summary>Of the sum alone.</summary>
    public required float Scale { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static SumRowsArguments Of(SumRowsCall call, in OpOperands at) =>
        new()
        {
            From = at.Tensor(call.From),
            Rows = at.Pointer(call.Rows),
            Count = (int)at.Place(call.Rows).Columns,
            Addend = at.Tensor(call.Addend),
            To = at.Tensor(call.To),
            Scale = call.Scale,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.SumRows(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(From);
        accesses.Words(Rows, checked(To.Rows * Count));
        accesses.Read(Addend);
        accesses.Write(To);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="SumRowsArguments"/>
    void SumRows(in SumRowsArguments call);
}
