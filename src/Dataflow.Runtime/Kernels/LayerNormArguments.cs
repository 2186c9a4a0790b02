using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>y = addend + (x - mean) rstd (offset + w) + b, rstd = 1 / sqrt(mean((x - mean)^2) + epsilon).</summary>
public readonly record struct LayerNormForwardArguments : IKernelArguments
{
    /// <summary>[T, D].</summary>
    public required Tensor X { get; init; }

    /// <summary>[D].</summary>
    public required Tensor Weight { get; init; }

    /// <summary>Added to the weight.</summary>
    public required float WeightOffset { get; init; }

    /// <summary>[D]; null adds nothing.</summary>
    public required Tensor? Bias { get; init; }

    /// <summary>[T, D], may be y itself; null adds nothing.</summary>
    public required Tensor? Addend { get; init; }

    /// <summary>Added to the variance.</summary>
    public required float Epsilon { get; init; }

    /// <summary>[T, D].</summary>
    public required Tensor Y { get; init; }

    /// <summary>[T, 2] fp32: mean, then rstd, of each row.</summary>
    public required nuint Statistics { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static LayerNormForwardArguments Of(LayerNormForwardCall call, in OpOperands at) =>
        new()
        {
            X = at.Tensor(call.X),
            Weight = at.Tensor(call.Weight),
            WeightOffset = call.WeightOffset,
            Bias = at.Tensor(call.Bias),
            Addend = at.Tensor(call.Addend),
            Epsilon = at.Model.RmsNormEps,
            Y = at.Tensor(call.Y),
            Statistics = at.Pointer(call.Statistics),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.LayerNormForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(X);
        accesses.Read(Weight);
        accesses.Read(Bias);
        accesses.Read(Addend);
        accesses.Write(Y);
        accesses.Write(Statistics, KernelAccesses.Floats(2 * X.Rows));
    }
}

/// <summary>dx = its gradient + addend; dw and db (+)= their gradients, summed over tokens.</summary>
public readonly record struct LayerNormBackwardArguments : IKernelArguments
{
    /// <summary>[T, D].</summary>
    public required Tensor GradY { get; init; }

    /// <summary>[T, D].</summary>
    public required Tensor X { get; init; }

    /// <summary>[T, 2] fp32, of the forward.</summary>
    public required nuint Statistics { get; init; }

    /// <summary>[D].</summary>
    public required Tensor Weight { get; init; }

    /// <summary>Added to the weight.</summary>
    public required float WeightOffset { get; init; }

    /// <summary>[T, D].</summary>
    public required Tensor GradX { get; init; }

    /// <summary>[T, D], may be the gradient of x itself; null adds nothing.</summary>
    public required Tensor? Addend { get; init; }

    /// <summary>[D]; null where nobody wants it.</summary>
    public required Tensor? GradWeight { get; init; }

    /// <summary>Whether the weight's gradient is added to.</summary>
    public required bool AccumulateWeight { get; init; }

    /// <summary>[D]; null where nobody wants it.</summary>
    public required Tensor? GradBias { get; init; }

    /// <summary>Whether the bias's gradient is added to.</summary>
    public required bool AccumulateBias { get; init; }

    /// <summary><see cref="KernelWorkspace.LayerNorm"/> bytes.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static LayerNormBackwardArguments Of(LayerNormBackwardCall call, in OpOperands at) =>
        new()
        {
            GradY = at.Tensor(call.GradY),
            X = at.Tensor(call.X),
            Statistics = at.Pointer(call.Statistics),
            Weight = at.Tensor(call.Weight),
            WeightOffset = call.WeightOffset,
            GradX = at.Tensor(call.GradX),
            Addend = call.Adds ? at.Tensor(call.GradX) : null,
            GradWeight = at.Tensor(call.GradWeight),
            AccumulateWeight = call.GradWeight is { } weight && at.Accumulates(weight),
            GradBias = at.Tensor(call.GradBias),
            AccumulateBias = call.GradBias is { } bias && at.Accumulates(bias),
            Workspace = at.Pointer(call.Workspace),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.LayerNormBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(GradY);
        accesses.Read(X);
        accesses.Read(Statistics, KernelAccesses.Floats(2 * X.Rows));
        accesses.Read(Weight);
        accesses.Read(Addend);
        accesses.Write(GradX);
        accesses.Sum(GradWeight, AccumulateWeight);
        accesses.Sum(GradBias, AccumulateBias);
        accesses.Update(Workspace, KernelWorkspace.LayerNorm(X.Rows, X.Columns).Value);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="LayerNormForwardArguments"/>
    void LayerNormForward(in LayerNormForwardArguments call);

    /// <inheritdoc cref="LayerNormBackwardArguments"/>
    void LayerNormBackward(in LayerNormBackwardArguments call);
}
