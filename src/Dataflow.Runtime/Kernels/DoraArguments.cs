using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>scales[0] = magnitude / ||row||, scales[1] = 1 / ||row|| of the rows of w + scale b a.</summary>
public readonly record struct DoraScalesArguments : IKernelArguments
{
    /// <summary>[rows, in].</summary>
    public required Tensor W { get; init; }

    /// <summary>[rank, in].</summary>
    public required Tensor A { get; init; }

    /// <summary>[rows, rank].</summary>
    public required Tensor B { get; init; }

    /// <summary>[rows].</summary>
    public required Tensor Magnitude { get; init; }

    /// <summary>[2, rows] fp32.</summary>
    public required Tensor Scales { get; init; }

    /// <summary>Of b a.</summary>
    public required float Scale { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static DoraScalesArguments Of(DoraScalesCall call, in OpOperands at) =>
        new()
        {
            W = at.Tensor(call.W),
            A = at.Tensor(call.A),
            B = at.Tensor(call.B),
            Magnitude = at.Tensor(call.Magnitude),
            Scales = at.Tensor(call.Scales),
            Scale = call.Scale,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.DoraScales(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(W);
        accesses.Read(A);
        accesses.Read(B);
        accesses.Read(Magnitude);
        accesses.Write(Scales);
    }
}

/// <summary>y = scale (factor x) + bias + addend.</summary>
public readonly record struct DoraForwardArguments : IKernelArguments
{
    /// <summary>[T, rows], of a wider matrix.</summary>
    public required Tensor X { get; init; }

    /// <summary>[2, rows] fp32; null multiplies by 1.</summary>
    public required Tensor? Scales { get; init; }

    /// <summary>[rows]; null adds nothing.</summary>
    public required Tensor? Bias { get; init; }

    /// <summary>[T, rows], of a wider matrix; null adds nothing.</summary>
    public required Tensor? Addend { get; init; }

    /// <summary>[T, rows], of a wider matrix.</summary>
    public required Tensor Y { get; init; }

    /// <summary>Of x.</summary>
    public required float Scale { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static DoraForwardArguments Of(DoraForwardCall call, in OpOperands at) =>
        new()
        {
            X = at.Tensor(call.X),
            Scales = at.Tensor(call.Scales),
            Bias = at.Tensor(call.Bias),
            Addend = at.Tensor(call.Addend),
            Y = at.Tensor(call.Y),
            Scale = call.Scale,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.DoraForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(X);
        if (Scales is { } scales)
        {
            accesses.Read(scales.RowRange(0, 1));
        }

        accesses.Read(Bias);
        accesses.Read(Addend);
        accesses.Write(Y);
    }
}

/// <summary>dx = factor dy; dm (+)= scale / ||row|| times the sum of dy x over tokens.</summary>
public readonly record struct DoraBackwardArguments : IKernelArguments
{
    /// <summary>[T, rows], of a wider matrix.</summary>
    public required Tensor GradY { get; init; }

    /// <summary>[T, rows], of a wider matrix.</summary>
    public required Tensor X { get; init; }

    /// <summary>[2, rows] fp32.</summary>
    public required Tensor Scales { get; init; }

    /// <summary>[T, rows], of a wider matrix; may be that of y.</summary>
    public required Tensor GradX { get; init; }

    /// <summary>[rows].</summary>
    public required Tensor GradMagnitude { get; init; }

    /// <summary>Of the forward.</summary>
    public required float Scale { get; init; }

    /// <summary>Whether dm is added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static DoraBackwardArguments Of(DoraBackwardCall call, in OpOperands at) =>
        new()
        {
            GradY = at.Tensor(call.GradY),
            X = at.Tensor(call.X),
            Scales = at.Tensor(call.Scales),
            GradX = at.Tensor(call.GradX),
            GradMagnitude = at.Tensor(call.GradMagnitude),
            Scale = call.Scale,
            Accumulate = at.Accumulates(call.GradMagnitude),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.DoraBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        if (GradX == GradY)
        {
            accesses.Update(GradX);
        }
        else
        {
            accesses.Read(GradY);
            accesses.Write(GradX);
        }

        accesses.Read(X);
        accesses.Read(Scales);
        accesses.Sum(GradMagnitude, Accumulate);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="DoraScalesArguments"/>
    void DoraScales(in DoraScalesArguments call);

    /// <inheritdoc cref="DoraForwardArguments"/>
    void DoraForward(in DoraForwardArguments call);

    /// <inheritdoc cref="DoraBackwardArguments"/>
    void DoraBackward(in DoraBackwardArguments call);
}
