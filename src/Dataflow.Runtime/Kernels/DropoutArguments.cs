using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>y = x scale where a number is kept, else 0; or y += that.</summary>
public readonly record struct DropoutArguments : IKernelArguments
{
    private const uint NotOfRounding = 1u << 31;
    private const int ModulesOfLayer = 64;

    /// <summary>[T, in].</summary>
    public required Tensor X { get; init; }

    /// <summary>[T, in].</summary>
    public required Tensor Y { get; init; }

    /// <summary>The first token, counted over the step: row times tokens of a row, and position.</summary>
    public required long FirstToken { get; init; }

    /// <summary>Which module of which layer.</summary>
    public required uint Module { get; init; }

    /// <summary>A number is kept where 16 random bits are no less.</summary>
    public required uint Threshold { get; init; }

    /// <summary>Of what is kept.</summary>
    public required float Scale { get; init; }

    /// <summary>Whether y is added to.</summary>
    public required bool Adds { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static DropoutArguments Of(DropoutCall call, in OpOperands at)
    {
        double rate = at.Trains ? call.Rate : 0;
        return new()
        {
            X = at.Tensor(call.X),
            Y = at.Tensor(call.Y),
            FirstToken = at.FirstTokenOfStep,
            Module = NotOfRounding | (uint)((at.LayerNumber * ModulesOfLayer) + (int)call.Module),
            Threshold = (uint)Math.Round(rate * (1 << 16)),
            Scale = (float)(1 / (1 - rate)),
            Adds = call.Adds,
        };
    }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.Dropout(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.StepArguments();
        accesses.Read(X);
        accesses.Sum(Y, Adds);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="DropoutArguments"/>
    void Dropout(in DropoutArguments call);
}
