using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>c (+)= scale a op(b) with the matrix of each row's expert, rounded once. Which rows are whose, the device knows.</summary>
public readonly record struct GroupedGemmArguments : IKernelArguments
{
    /// <summary>[R, K], rows ordered by expert.</summary>
    public required Tensor A { get; init; }

    /// <summary>[E x N, K], or [E x K, N].</summary>
    public required Tensor B { get; init; }

    /// <summary>Whether an expert's b is [N, K], else [K, N].</summary>
    public required Transpose TransposeB { get; init; }

    /// <summary>[E + 1] int32, the first row of each expert, and R.</summary>
    public required nuint ExpertRows { get; init; }

    /// <summary>E.</summary>
    public required int Experts { get; init; }

    /// <summary>[R, N].</summary>
    public required Tensor C { get; init; }

    /// <summary>Whether c is added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>Of the product.</summary>
    public required float Scale { get; init; }

    /// <summary>The experts are a group of several, and rows of those before are in c.</summary>
    public bool KeepsRows { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static GroupedGemmArguments Of(GroupedGemmForwardCall call, in OpOperands at) =>
        new()
        {
            A = at.Tensor(call.A),
            B = at.Tensor(call.B),
            TransposeB = Transpose.Yes,
            ExpertRows = at.Pointer(call.ExpertRows),
            Experts = (int)at.Place(call.ExpertRows).Columns - 1,
            C = at.Tensor(call.C),
            Accumulate = call.Adds,
            Scale = call.Scale,
            KeepsRows = call is { Groups: > 1, B.Part: > 0 },
        };

    /// <summary>Of a call's operands.</summary>
    public static GroupedGemmArguments Of(GroupedGemmInputGradientCall call, in OpOperands at) =>
        new()
        {
            A = at.Tensor(call.A),
            B = at.Tensor(call.B),
            TransposeB = Transpose.No,
            ExpertRows = at.Pointer(call.ExpertRows),
            Experts = (int)at.Place(call.ExpertRows).Columns - 1,
            C = at.Tensor(call.C),
            Accumulate = call.Adds,
            Scale = call.Scale,
            KeepsRows = call is { Groups: > 1, B.Part: > 0 },
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.GroupedGemm(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(A);
        accesses.Read(B);
        accesses.Words(ExpertRows, Experts + 1);
        accesses.Sum(C, Accumulate || KeepsRows);
    }
}

/// <summary>c (+)= scale a^T b of each expert over its rows, rounded once; of an expert without rows 0.</summary>
public readonly record struct GroupedGemmWeightGradientArguments : IKernelArguments
{
    /// <summary>[R, M], rows ordered by expert.</summary>
    public required Tensor A { get; init; }

    /// <summary>[R, N], likewise.</summary>
    public required Tensor B { get; init; }

    /// <summary>[E + 1] int32, the first row of each expert, and R.</summary>
    public required nuint ExpertRows { get; init; }

    /// <summary>E.</summary>
    public required int Experts { get; init; }

    /// <summary>[E x M, N].</summary>
    public required Tensor C { get; init; }

    /// <summary>Whether c is added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>Of the product.</summary>
    public required float Scale { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static GroupedGemmWeightGradientArguments Of(GroupedGemmWeightGradientCall call, in OpOperands at) =>
        new()
        {
            A = at.Tensor(call.A),
            B = at.Tensor(call.B),
            ExpertRows = at.Pointer(call.ExpertRows),
            Experts = (int)at.Place(call.ExpertRows).Columns - 1,
            C = at.Tensor(call.C),
            Accumulate = at.Accumulates(call.C),
            Scale = call.Scale,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.GroupedGemmWeightGradient(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(A);
        accesses.Read(B);
        accesses.Words(ExpertRows, Experts + 1);
        accesses.Sum(C, Accumulate);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="GroupedGemmArguments"/>
    void GroupedGemm(in GroupedGemmArguments call);

    /// <inheritdoc cref="GroupedGemmWeightGradientArguments"/>
    void GroupedGemmWeightGradient(in GroupedGemmWeightGradientArguments call);
}
