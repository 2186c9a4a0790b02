using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>to [R, C] = those rows of from that are named.</summary>
public readonly record struct GatherRowsArguments : IKernelArguments
{
    /// <summary>[any, C].</summary>
    public required Tensor From { get; init; }

    /// <summary>[R] int32, each below the rows of from.</summary>
    public required nuint Rows { get; init; }

    /// <summary>[R, C], of the same type.</summary>
    public required Tensor To { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static GatherRowsArguments Of(GatherRowsCall call, in OpOperands at) =>
        new()
        {
            From = at.Tensor(call.From),
            Rows = at.Pointer(call.Rows),
            To = at.Tensor(call.To),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.GatherRows(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(From);
        accesses.Words(Rows, To.Rows);
        accesses.Write(To);
    }
}

/// <summary>Puts the rows of from [R, C] in place of those rows of to that are named.</summary>
public readonly record struct ScatterRowsArguments : IKernelArguments
{
    /// <summary>[R, C].</summary>
    public required Tensor From { get; init; }

    /// <summary>[R] int32, each another and below the rows of to.</summary>
    public required nuint Rows { get; init; }

    /// <summary>[any, C], of the same type.</summary>
    public required Tensor To { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static ScatterRowsArguments Of(ScatterRowsCall call, in OpOperands at) =>
        new()
        {
            From = at.Tensor(call.From),
            Rows = at.Pointer(call.Rows),
            To = at.Tensor(call.To),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.ScatterRows(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(From);
        accesses.Words(Rows, From.Rows);
        accesses.Update(To);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="GatherRowsArguments"/>
    void GatherRows(in GatherRowsArguments call);

    /// <inheritdoc cref="ScatterRowsArguments"/>
    void ScatterRows(in ScatterRowsArguments call);
}
