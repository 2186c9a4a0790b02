using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// y = w x rstd silu(z), with rstd = 1 / sqrt(mean(x^2) + epsilon) of each head's part of a row alone; by groups y = w u rstd of
/// u = x silu(z), with rstd of u.
/// </summary>
public readonly record struct GatedNormForwardArguments : IKernelArguments
{
    /// <summary>[T, heads x width].</summary>
    public required Tensor X { get; init; }

    /// <summary>z, likewise.</summary>
    public required Tensor Gate { get; init; }

    /// <summary>[width], or by groups [all columns].</summary>
    public required Tensor Weight { get; init; }

    /// <summary>So many groups of columns are gated before they are normed; null: heads are normed and then gated.</summary>
    public int? Groups { get; init; }

    /// <summary>Added to mean squares.</summary>
    public required float Epsilon { get; init; }

    /// <summary>[T, heads x width].</summary>
    public required Tensor Y { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static GatedNormForwardArguments Of(GatedNormForwardCall call, in OpOperands at) =>
        new()
        {
            X = at.Tensor(call.X),
            Gate = at.Tensor(call.Gate),
            Weight = at.Tensor(call.Weight),
            Groups = call.Groups,
            Epsilon = call.Epsilon ?? at.Model.RmsNormEps,
            Y = at.Tensor(call.Y),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.GatedNormForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(X);
        accesses.Read(Gate);
        accesses.Read(Weight);
        accesses.Write(Y);
    }
}

/// <summary>The gradient of x in place of y's, that of z, and dw (+)= its gradient.</summary>
public readonly record struct GatedNormBackwardArguments : IKernelArguments
{
    /// <summary>[T, heads x width]: of y; becomes that of x.</summary>
    public required Tensor Gradient { get; init; }

    /// <summary>[T, heads x width].</summary>
    public required Tensor X { get; init; }

    /// <summary>z, likewise.</summary>
    public required Tensor Gate { get; init; }

    /// <summary>[width], or by groups [all columns].</summary>
    public required Tensor Weight { get; init; }

    /// <summary>So many groups of columns are gated before they are normed; null: heads are normed and then gated.</summary>
    public int? Groups { get; init; }

    /// <summary>Added to mean squares.</summary>
    public required float Epsilon { get; init; }

    /// <summary>[T, heads x width].</summary>
    public required Tensor GradGate { get; init; }

    /// <summary>[width]; null where nobody wants it.</summary>
    public required Tensor? GradWeight { get; init; }

    /// <summary>Whether it is added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary><see cref="KernelWorkspace.GatedNorm"/> bytes.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static GatedNormBackwardArguments Of(GatedNormBackwardCall call, in OpOperands at) =>
        new()
        {
            Gradient = at.Tensor(call.Gradient),
            X = at.Tensor(call.X),
            Gate = at.Tensor(call.Gate),
            Weight = at.Tensor(call.Weight),
            Groups = call.Groups,
            Epsilon = call.Epsilon ?? at.Model.RmsNormEps,
            GradGate = at.Tensor(call.GradGate),
            GradWeight = at.Tensor(call.GradWeight),
            Accumulate = call.GradWeight is { } sum && at.Accumulates(sum),
            Workspace = at.Pointer(call.Workspace),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.GatedNormBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(Gradient);
        accesses.Read(X);
        accesses.Read(Gate);
        accesses.Read(Weight);
        accesses.Write(GradGate);
        accesses.Sum(GradWeight, Accumulate);
        accesses.Update(Workspace, KernelWorkspace.GatedNorm(X.Rows, Weight.Columns).Value);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="GatedNormForwardArguments"/>
    void GatedNormForward(in GatedNormForwardArguments call);

    /// <inheritdoc cref="GatedNormBackwardArguments"/>
    void GatedNormBackward(in GatedNormBackwardArguments call);
}
