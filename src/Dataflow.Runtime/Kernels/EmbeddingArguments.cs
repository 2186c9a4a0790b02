using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>x [T, D] = scale times rows of the table [V, D], or plus these.</summary>
public readonly record struct EmbeddingForwardArguments : IKernelArguments
{
    /// <summary>[T] int32.</summary>
    public required nuint Ids { get; init; }

    /// <summary>[V, D].</summary>
    public required Tensor Table { get; init; }

    /// <summary>[T, D].</summary>
    public required Tensor X { get; init; }

    /// <summary>What rows are multiplied by.</summary>
    public required float Scale { get; init; }

    /// <summary>Whether rows are added to x.</summary>
    public bool Adds { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static EmbeddingForwardArguments Of(EmbeddingForwardCall call, in OpOperands at) =>
        new()
        {
            Ids = at.Pointer(call.Ids),
            Table = at.Tensor(call.Table),
            X = at.Tensor(call.X),
            Scale = call.Scale,
            Adds = call.Adds,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.EmbeddingForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Words(Ids, X.Rows);
        accesses.Read(Table);
        accesses.Sum(X, Adds);
    }
}

/// <summary>Adds scale times rows of dx [T, D] to rows of the table's gradient.</summary>
public readonly record struct EmbeddingBackwardArguments : IKernelArguments
{
    /// <summary>[T] int32.</summary>
    public required nuint Ids { get; init; }

    /// <summary>[T] int32: tokens sorted by id, then -1 for those that do not count.</summary>
    public required nuint Order { get; init; }

    /// <summary>[T, D].</summary>
    public required Tensor GradX { get; init; }

    /// <summary>[V, D], added to.</summary>
    public required Tensor GradTable { get; init; }

    /// <summary>What rows are multiplied by.</summary>
    public required float Scale { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static EmbeddingBackwardArguments Of(EmbeddingBackwardCall call, in OpOperands at) =>
        new()
        {
            Ids = at.Pointer(call.Ids),
            Order = at.Pointer(call.Order),
            GradX = at.Tensor(call.GradX),
            GradTable = at.Tensor(call.GradTable),
            Scale = call.Scale,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.EmbeddingBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Words(Ids, GradX.Rows);
        accesses.Words(Order, GradX.Rows);
        accesses.Read(GradX);
        accesses.Update(GradTable);
    }
}

/// <summary>
/// As the forward of the whole, of the rows of x whose ids lie in a block of the table; the others become zero, or stay as they are. What
/// is added to x leaves the others alone.
/// </summary>
public readonly record struct EmbeddingBlockForwardArguments : IKernelArguments
{
    /// <summary>[T] int32.</summary>
    public required nuint Ids { get; init; }

    /// <summary>[rows of the block, D].</summary>
    public required Tensor Block { get; init; }

    /// <summary>The id of the block's first row.</summary>
    public required int FirstId { get; init; }

    /// <summary>[T, D].</summary>
    public required Tensor X { get; init; }

    /// <summary>Whether rows of other blocks become zero.</summary>
    public required bool ZeroOthers { get; init; }

    /// <summary>Whether rows are added to x.</summary>
    public bool Adds { get; init; }

    /// <summary>What rows are multiplied by.</summary>
    public required float Scale { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static EmbeddingBlockForwardArguments Of(EmbeddingForwardCall call, in OpOperands at) =>
        new()
        {
            Ids = at.Pointer(call.Ids),
            Block = at.Tensor(call.Table),
            FirstId = at.FirstId,
            X = at.Tensor(call.X),
            ZeroOthers = !call.Adds && !at.Accumulates(call.X),
            Scale = call.Scale,
            Adds = call.Adds,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.EmbeddingBlockForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Words(Ids, X.Rows);
        accesses.Read(Block);
        accesses.Sum(X, accumulate: !ZeroOthers);
    }
}

/// <summary>As the backward of the whole, for the ids of a block.</summary>
public readonly record struct EmbeddingBlockBackwardArguments : IKernelArguments
{
    /// <summary>[T] int32.</summary>
    public required nuint Ids { get; init; }

    /// <summary>[T] int32: tokens sorted by id, then -1 for those that do not count.</summary>
    public required nuint Order { get; init; }

    /// <summary>The id of the block's first row.</summary>
    public required int FirstId { get; init; }

    /// <summary>[T, D].</summary>
    public required Tensor GradX { get; init; }

    /// <summary>[rows of the block, D], added to.</summary>
    public required Tensor GradBlock { get; init; }

    /// <summary>What rows are multiplied by.</summary>
    public required float Scale { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static EmbeddingBlockBackwardArguments Of(EmbeddingBackwardCall call, in OpOperands at) =>
        new()
        {
            Ids = at.Pointer(call.Ids),
            Order = at.Pointer(call.Order),
            FirstId = at.FirstId,
            GradX = at.Tensor(call.GradX),
            GradBlock = at.Tensor(call.GradTable),
            Scale = call.Scale,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.EmbeddingBlockBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Words(Ids, GradX.Rows);
        accesses.Words(Order, GradX.Rows);
        accesses.Read(GradX);
        accesses.Update(GradBlock);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="EmbeddingForwardArguments"/>
    void EmbeddingForward(in EmbeddingForwardArguments call);

    /// <inheritdoc cref="EmbeddingBackwardArguments"/>
    void EmbeddingBackward(in EmbeddingBackwardArguments call);

    /// <inheritdoc cref="EmbeddingBlockForwardArguments"/>
    void EmbeddingBlockForward(in EmbeddingBlockForwardArguments call);

    /// <inheritdoc cref="EmbeddingBlockBackwardArguments"/>
    void EmbeddingBlockBackward(in EmbeddingBlockBackwardArguments call);
}
