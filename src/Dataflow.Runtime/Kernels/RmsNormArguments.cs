using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>y = addend + x rstd (offset + w), rstd = 1 / sqrt(mean(x^2) + epsilon).</summary>
public readonly record struct RmsNormForwardArguments : IKernelArguments
{
    /// <summary>[T, D].</summary>
    public required Tensor X { get; init; }

    /// <summary>[D].</summary>
    public required Tensor Weight { get; init; }

    /// <summary>Added to the weight.</summary>
    public required float WeightOffset { get; init; }

    /// <summary>[T, D], may be y itself; null adds nothing.</summary>
    public required Tensor? Addend { get; init; }

    /// <summary>Added to the mean square.</summary>
    public required float Epsilon { get; init; }

    /// <summary>[T, D].</summary>
    public required Tensor Y { get; init; }

    /// <summary>[T] fp32.</summary>
    public required nuint Rstd { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static RmsNormForwardArguments Of(RmsNormForwardCall call, in OpOperands at) =>
        new()
        {
            X = at.Tensor(call.X),
            Weight = at.Tensor(call.Weight),
            WeightOffset = call.WeightOffset,
            Addend = at.Tensor(call.Addend),
            Epsilon = call.Epsilon ?? at.Model.RmsNormEps,
            Y = at.Tensor(call.Y),
            Rstd = at.Pointer(call.Rstd),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.RmsNormForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(X);
        accesses.Read(Weight);
        accesses.Read(Addend);
        accesses.Write(Y);
        accesses.Write(Rstd, KernelAccesses.Floats(X.Rows));
    }
}

/// <summary>dx = its gradient + addend; dw (+)= its gradient, summed over tokens.</summary>
public readonly record struct RmsNormBackwardArguments : IKernelArguments
{
    /// <summary>[T, D].</summary>
    public required Tensor GradY { get; init; }

    /// <summary>[T, D].</summary>
    public required Tensor X { get; init; }

    /// <summary>[T] fp32, of the forward.</summary>
    public required nuint Rstd { get; init; }

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
    public required bool Accumulate { get; init; }

    /// <summary><see cref="KernelWorkspace.RmsNorm"/> bytes.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static RmsNormBackwardArguments Of(RmsNormBackwardCall call, in OpOperands at) =>
        new()
        {
            GradY = at.Tensor(call.GradY),
            X = at.Tensor(call.X),
            Rstd = at.Pointer(call.Rstd),
            Weight = at.Tensor(call.Weight),
            WeightOffset = call.WeightOffset,
            GradX = at.Tensor(call.GradX),
            Addend = call.Adds ? at.Tensor(call.GradX) : null,
            GradWeight = at.Tensor(call.GradWeight),
            Accumulate = call.GradWeight is { } sum && at.Accumulates(sum),
            Workspace = at.Pointer(call.Workspace),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.RmsNormBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(GradY);
        accesses.Read(X);
        accesses.Read(Rstd, KernelAccesses.Floats(X.Rows));
        accesses.Read(Weight);
        accesses.Read(Addend);
        accesses.Write(GradX);
        accesses.Sum(GradWeight, Accumulate);
        accesses.Update(Workspace, KernelWorkspace.RmsNorm(X.Rows, X.Columns).Value);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="RmsNormForwardArguments"/>
    void RmsNormForward(in RmsNormForwardArguments call);

    /// <inheritdoc cref="RmsNormBackwardArguments"/>
    void RmsNormBackward(in RmsNormBackwardArguments call);
}
