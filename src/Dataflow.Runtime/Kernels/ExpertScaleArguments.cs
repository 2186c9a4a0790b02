using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>The weights of routed rows times a number of their expert's.</summary>
public readonly record struct ExpertScaleForwardArguments : IKernelArguments
{
    /// <summary>[rows, 1] fp32; those of an expert follow each other.</summary>
    public required Tensor Weights { get; init; }

    /// <summary>[E + 1] int32, the first row of each expert.</summary>
    public required nuint ExpertRows { get; init; }

    /// <summary>[1, E].</summary>
    public required Tensor Factors { get; init; }

    /// <summary>[rows, 1] fp32, overwritten.</summary>
    public required Tensor Scaled { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static ExpertScaleForwardArguments Of(ExpertScaleForwardCall call, in OpOperands at) =>
        new()
        {
            Weights = at.Tensor(call.Weights),
            ExpertRows = at.Pointer(call.ExpertRows),
            Factors = at.Tensor(call.Factors),
            Scaled = at.Tensor(call.Scaled),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.ExpertScaleForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Weights);
        accesses.Words(ExpertRows, Factors.Columns + 1);
        accesses.Read(Factors);
        accesses.Write(Scaled);
    }
}

/// <summary>The gradient of the weights in place of that of what they became, and that of the factors.</summary>
public readonly record struct ExpertScaleBackwardArguments : IKernelArguments
{
    /// <summary>[rows, 1] fp32, updated.</summary>
    public required Tensor Gradient { get; init; }

    /// <summary>[rows, 1] fp32, of the forward.</summary>
    public required Tensor Weights { get; init; }

    /// <summary>[E + 1] int32, the first row of each expert.</summary>
    public required nuint ExpertRows { get; init; }

    /// <summary>[1, E].</summary>
    public required Tensor Factors { get; init; }

    /// <summary>[1, E]; null where nobody wants it.</summary>
    public required Tensor? GradFactors { get; init; }

    /// <summary>Whether that is added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>An fp32 for each expert.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static ExpertScaleBackwardArguments Of(ExpertScaleBackwardCall call, in OpOperands at) =>
        new()
        {
            Gradient = at.Tensor(call.Gradient),
            Weights = at.Tensor(call.Weights),
            ExpertRows = at.Pointer(call.ExpertRows),
            Factors = at.Tensor(call.Factors),
            GradFactors = at.Tensor(call.GradFactors),
            Accumulate = call.GradFactors is { } sum && at.Accumulates(sum),
            Workspace = at.Pointer(call.Workspace),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.ExpertScaleBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(Gradient);
        accesses.Read(Weights);
        accesses.Words(ExpertRows, Factors.Columns + 1);
        accesses.Read(Factors);
        accesses.Sum(GradFactors, Accumulate);
        accesses.Update(Workspace, KernelAccesses.Floats(Factors.Columns));
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="ExpertScaleForwardArguments"/>
    void ExpertScaleForward(in ExpertScaleForwardArguments call);

    /// <inheritdoc cref="ExpertScaleBackwardArguments"/>
    void ExpertScaleBackward(in ExpertScaleBackwardArguments call);
}
