using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// The K experts of each token: those of the largest scores, on a tie the lower index; and the order of the T K rows that they compute, by
/// expert, of one expert by token. Scores and weights are those of <see cref="ExpertMixture"/>.
/// </summary>
public readonly record struct RoutingArguments : IKernelArguments
{
    /// <summary>The rules of choice.</summary>
    public required ExpertMixture Mixture { get; init; }

    /// <summary>[T, E] fp32, and a column behind them where the shared expert has a gate.</summary>
    public required Tensor Logits { get; init; }

    /// <summary>[E] fp32, added to scores where experts are chosen; 0 adds nothing, and logits are compared themselves.</summary>
    public required nuint Correction { get; init; }

    /// <summary>[T, K] int32, overwritten: a token's experts, the largest score first.</summary>
    public required nuint Choices { get; init; }

    /// <summary>[T, K] int32, overwritten: the row of each choice.</summary>
    public required nuint Places { get; init; }

    /// <summary>[T K] int32, overwritten: the token of each row.</summary>
    public required nuint Tokens { get; init; }

    /// <summary>[E + 1] int32, overwritten: the first row of each expert, and T K.</summary>
    public required nuint ExpertRows { get; init; }

    /// <summary>[T K] fp32, overwritten: the weight of each row.</summary>
    public required nuint Weights { get; init; }

    /// <summary>[T] fp32, overwritten: the logistic function of the last column; 0 where the shared expert has no gate.</summary>
    public required nuint SharedWeights { get; init; }

    /// <summary>As <see cref="KernelWorkspace.Routing"/> says.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>T K.</summary>
    public int Rows => Logits.Rows * Mixture.PerToken;

    /// <summary>Of a call's operands.</summary>
    public static RoutingArguments Of(RoutingCall call, in OpOperands at) =>
        new()
        {
            Mixture = call.Mixture,
            Logits = at.Tensor(call.Logits),
            Correction = at.Pointer(call.Correction),
            Choices = at.Pointer(call.Choices),
            Places = at.Pointer(call.Places),
            Tokens = at.Pointer(call.Tokens),
            ExpertRows = at.Pointer(call.ExpertRows),
            Weights = at.Pointer(call.Weights),
            SharedWeights = at.Pointer(call.SharedWeights),
            Workspace = at.Pointer(call.Workspace),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.Routing(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        long rows = KernelAccesses.Floats(Rows);
        accesses.Read(Logits);
        accesses.Floats(Correction, Mixture.Count);
        accesses.Update(Choices, rows); // kernels in stages read them again, and first rows too
        accesses.Write(Places, rows);
        accesses.Write(Tokens, rows);
        accesses.Update(ExpertRows, KernelAccesses.Floats(Mixture.Count + 1));
        accesses.Write(Weights, rows);
        if (SharedWeights != 0)
        {
            accesses.Write(SharedWeights, KernelAccesses.Floats(Logits.Rows));
        }

        accesses.Update(Workspace, KernelWorkspace.Routing(Logits.Rows, Mixture.Count, Mixture.PerToken).Value);
    }
}

/// <summary>The gradient of the logits from those of the weights; what is chosen is taken as given.</summary>
public readonly record struct RoutingBackwardArguments : IKernelArguments
{
    /// <summary>The rules of choice.</summary>
    public required ExpertMixture Mixture { get; init; }

    /// <summary>[T, E] fp32, and a column behind them where the shared expert has a gate.</summary>
    public required Tensor Logits { get; init; }

    /// <summary>[T, K] int32.</summary>
    public required nuint Choices { get; init; }

    /// <summary>[T, K] int32.</summary>
    public required nuint Places { get; init; }

    /// <summary>[T K] fp32.</summary>
    public required nuint GradWeights { get; init; }

    /// <summary>[T] fp32; 0 where the shared expert has no gate.</summary>
    public required nuint GradSharedWeights { get; init; }

    /// <summary>[E] fp32, how often the round's experts were chosen; 0 where routers have no losses.</summary>
    public required nuint Load { get; init; }

    /// <summary>The derivative of the step's loss by an expert's sum of probabilities is this times how often it was chosen.</summary>
    public required float LoadFactor { get; init; }

    /// <summary>By what the square of a token's logsumexp counts in the step's loss; 0 where there is no router z-loss.</summary>
    public required float SquareFactor { get; init; }

    /// <summary>The logits' shape, overwritten.</summary>
    public required Tensor GradLogits { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static RoutingBackwardArguments Of(RoutingBackwardCall call, in OpOperands at) =>
        new()
        {
            Mixture = call.Mixture,
            Logits = at.Tensor(call.Logits),
            Choices = at.Pointer(call.Choices),
            Places = at.Pointer(call.Places),
            GradWeights = at.Pointer(call.GradWeights),
            GradSharedWeights = at.Pointer(call.GradSharedWeights),
            Load = at.Pointer(call.Load),
            LoadFactor = call.Load is null ? 0 : (float)at.BalanceFactor,
            SquareFactor = call.Load is null ? 0 : (float)at.RouterZFactor,
            GradLogits = at.Tensor(call.GradLogits),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.RoutingBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        int rows = Logits.Rows * Mixture.PerToken;
        accesses.Read(Logits);
        accesses.Words(Choices, rows);
        accesses.Words(Places, rows);
        accesses.Floats(GradWeights, rows);
        accesses.Floats(GradSharedWeights, Logits.Rows);
        accesses.Floats(Load, Mixture.Count);
        accesses.Write(GradLogits);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="RoutingArguments"/>
    void Routing(in RoutingArguments call);

    /// <inheritdoc cref="RoutingBackwardArguments"/>
    void RoutingBackward(in RoutingBackwardArguments call);
}
