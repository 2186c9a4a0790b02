using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>In place: x + w b with the bias of each row's group; rounded once.</summary>
public readonly record struct GroupedBiasForwardArguments : IKernelArguments
{
    /// <summary>[R, C], rows ordered by group.</summary>
    public required Tensor X { get; init; }

    /// <summary>[1, G x C].</summary>
    public required Tensor Bias { get; init; }

    /// <summary>[G + 1] int32; 0: all rows are one group.</summary>
    public required nuint GroupRows { get; init; }

    /// <summary>[R] fp32; 0: all count once.</summary>
    public required nuint Weights { get; init; }

    /// <summary>How many biases there are.</summary>
    public int Groups => Bias.Columns / X.Columns;

    /// <summary>Of a call's operands.</summary>
    public static GroupedBiasForwardArguments Of(GroupedBiasForwardCall call, in OpOperands at) =>
        new()
        {
            X = at.Tensor(call.X),
            Bias = at.Tensor(call.Bias),
            GroupRows = at.Pointer(call.GroupRows),
            Weights = at.Pointer(call.Weights),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.GroupedBiasForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(X);
        accesses.Read(Bias);
        accesses.Floats(Weights, X.Rows);
        if (GroupRows != 0)
        {
            accesses.Words(GroupRows, Groups + 1);
        }
    }
}

/// <summary>db (+)= scale times the sum of w dx over each group's rows; dw += scale dx b of each row.</summary>
public readonly record struct GroupedBiasBackwardArguments : IKernelArguments
{
    /// <summary>[R, C], rows ordered by group.</summary>
    public required Tensor Gradient { get; init; }

    /// <summary>[G + 1] int32.</summary>
    public required nuint GroupRows { get; init; }

    /// <summary>[1, G x C]; null where rows have no weights.</summary>
    public required Tensor? Bias { get; init; }

    /// <summary>[R] fp32; 0: all count once.</summary>
    public required nuint Weights { get; init; }

    /// <summary>[R] fp32, added to; 0 where rows have no weights.</summary>
    public required nuint GradWeights { get; init; }

    /// <summary>[1, G x C]; null where the biases are frozen.</summary>
    public required Tensor? GradBias { get; init; }

    /// <summary>Whether db is added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>By what the gradient counts.</summary>
    public required float Scale { get; init; }

    /// <summary>How many biases there are.</summary>
    public int Groups => (GradBias ?? Bias)!.Value.Columns / Gradient.Columns;

    /// <summary>Of a call's operands.</summary>
    public static GroupedBiasBackwardArguments Of(GroupedBiasBackwardCall call, in OpOperands at) =>
        new()
        {
            Gradient = at.Tensor(call.Gradient),
            GroupRows = at.Pointer(call.GroupRows),
            Bias = at.Tensor(call.Bias),
            Weights = at.Pointer(call.Weights),
            GradWeights = at.Pointer(call.GradWeights),
            GradBias = at.Tensor(call.GradBias),
            Accumulate = call.GradBias is { } bias && at.Accumulates(bias),
            Scale = call.Scale,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.GroupedBiasBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Gradient);
        accesses.Words(GroupRows, Groups + 1);
        accesses.Read(Bias);
        accesses.Floats(Weights, Gradient.Rows);
        if (GradWeights != 0)
        {
            accesses.Update(GradWeights, KernelAccesses.Floats(Gradient.Rows));
        }

        accesses.Sum(GradBias, Accumulate);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="GroupedBiasForwardArguments"/>
    void GroupedBiasForward(in GroupedBiasForwardArguments call);

    /// <inheritdoc cref="GroupedBiasBackwardArguments"/>
    void GroupedBiasBackward(in GroupedBiasBackwardArguments call);
}
