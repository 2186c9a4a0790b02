using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// load[0, e] (+)= the rows of expert e; load[1, e] (+)= the sum over tokens of its probability, the softmax over all experts; of three
/// rows load[2, 0] (+)= the sum over tokens of the square of their logits' logsumexp.
/// </summary>
public readonly record struct ExpertLoadArguments : IKernelArguments
{
    /// <summary>[T, E] fp32, and perhaps a column behind them.</summary>
    public required Tensor Logits { get; init; }

    /// <summary>[E + 1] int32, the first row of each expert.</summary>
    public required nuint ExpertRows { get; init; }

    /// <summary>E.</summary>
    public required int Experts { get; init; }

    /// <summary>[2, E] fp32, or [3, E].</summary>
    public required nuint Load { get; init; }

    /// <summary>There is a third row.</summary>
    public required bool Squares { get; init; }

    /// <summary>Whether the load is added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>As <see cref="KernelWorkspace.Routing"/> says; a group of tokens has E + 1 numbers there.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static ExpertLoadArguments Of(ExpertLoadCall call, in OpOperands at) =>
        new()
        {
            Logits = at.Tensor(call.Logits),
            ExpertRows = at.Pointer(call.ExpertRows),
            Experts = (int)at.Place(call.ExpertRows).Columns - 1,
            Load = at.Pointer(call.Load),
            Squares = at.Place(call.Load).Rows == 3,
            Accumulate = at.Accumulates(call.Load),
            Workspace = at.Pointer(call.Workspace),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.ExpertLoad(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Logits);
        accesses.Words(ExpertRows, Experts + 1);
        accesses.Sum(Load, KernelAccesses.Floats((2L * Experts) + (Squares ? 1 : 0)), Accumulate);
        accesses.Update(Workspace, KernelWorkspace.Routing(Logits.Rows, Experts + 1, 0).Value);
    }
}

/// <summary>
/// loss += factor / loss scale times the sum over experts of load[0, e] load[1, e], and square factor / loss scale times load[2, 0].
/// </summary>
public readonly record struct ExpertLoadLossArguments : IKernelArguments
{
    /// <summary>[2, E] fp32, or [3, E].</summary>
    public required nuint Load { get; init; }

    /// <summary>E.</summary>
    public required int Experts { get; init; }

    /// <summary>A chunk's share of <see cref="ModelConfig.BalanceFactor"/>.</summary>
    public required float Factor { get; init; }

    /// <summary>A chunk's share of <see cref="ModelConfig.RouterZFactor"/>; 0 where there is no third row.</summary>
    public required float SquareFactor { get; init; }

    /// <summary>One fp32, the sum of the chunk's token losses, which the step divides by its counted targets.</summary>
    public required nuint Loss { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static ExpertLoadLossArguments Of(ExpertLoadLossCall call, in OpOperands at) =>
        new()
        {
            Load = at.Pointer(call.Load),
            Experts = (int)at.Place(call.Load).Columns,
            Factor = (float)(at.BalanceFactor / at.ChunksPerRound),
            SquareFactor = (float)(at.RouterZFactor / at.ChunksPerRound),
            Loss = at.Pointer(call.Loss),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.ExpertLoadLoss(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Load, KernelAccesses.Floats((2L * Experts) + (SquareFactor > 0 ? 1 : 0)));
        accesses.Update(Loss, sizeof(float));
        accesses.StepArguments();
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="ExpertLoadArguments"/>
    void ExpertLoad(in ExpertLoadArguments call);

    /// <inheritdoc cref="ExpertLoadLossArguments"/>
    void ExpertLoadLoss(in ExpertLoadLossArguments call);
}
