using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// dlogits = (softmax - onehot) x the target's weight x the step's loss scale; loss (+)= the sum of the counted tokens' losses, each times
/// its weight.
/// </summary>
public readonly record struct CrossEntropyArguments : IKernelArguments
{
    /// <summary>[rows, V] fp32.</summary>
    public required Tensor Logits { get; init; }

    /// <summary>What logits are multiplied by.</summary>
    public required float LogitScale { get; init; }

    /// <summary>c of c tanh(logit / c), after the scale; null leaves them as they are.</summary>
    public required float? LogitSoftcap { get; init; }

    /// <summary>[rows] int32, -1 where a target is not counted.</summary>
    public required nuint Targets { get; init; }

    /// <summary>[rows] fp32, the weight of each target; 0 where all weigh 1.</summary>
    public nuint Weights { get; init; }

    /// <summary>[rows, V].</summary>
    public required Tensor GradLogits { get; init; }

    /// <summary>One fp32.</summary>
    public required nuint Loss { get; init; }

    /// <summary>Whether the loss is added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary><see cref="KernelWorkspace.CrossEntropy"/> bytes.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static CrossEntropyArguments Of(CrossEntropyCall call, in OpOperands at) =>
        new()
        {
            Logits = at.Tensor(call.Logits),
            LogitScale = call.LogitScale,
            LogitSoftcap = call.LogitSoftcap,
            Targets = at.Pointer(call.Targets),
            Weights = at.Pointer(call.Weights),
            GradLogits = at.Tensor(call.GradLogits),
            Loss = at.Pointer(call.Loss),
            Accumulate = at.Accumulates(call.Loss),
            Workspace = at.Pointer(call.Workspace),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.CrossEntropy(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Logits);
        accesses.Words(Targets, Logits.Rows);
        accesses.Floats(Weights, Logits.Rows);
        accesses.Write(GradLogits);
        accesses.Sum(Loss, sizeof(float), Accumulate);
        accesses.Update(Workspace, KernelWorkspace.CrossEntropy(Logits.Rows).Value);
        accesses.StepArguments();
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="CrossEntropyArguments"/>
    void CrossEntropy(in CrossEntropyArguments call);
}
