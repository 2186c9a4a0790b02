using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// Muon's momentum m = mu m + (1 - mu) g over a whole matrix, g being clipped, and what is made orthogonal of it: (1 - mu) g + mu m with
/// Nesterov's momentum, else m. It is computed from m before that is rounded to its type, and is a matrix of its own: the momentum stays.
/// </summary>
public readonly record struct MuonMomentumArguments : IKernelArguments
{
    /// <summary>The gradient and the momentum, of which the first moment is; weights are not touched. Any alignment.</summary>
    public required UpdateRange Range { get; init; }

    /// <summary>How gradients and the momentum are stored.</summary>
    public required Recipe Recipe { get; init; }

    /// <summary>Sums of squares (fp64) from which the gradients' global norm follows; 0 where it is not clipped.</summary>
    public required nuint Norms { get; init; }

    /// <summary>How many; 0 where it is not clipped.</summary>
    public required int NormCount { get; init; }

    /// <summary>Overwritten with what is made orthogonal, of the range's count.</summary>
    public required Tensor Update { get; init; }

    /// <summary>One fp64: the sum of squares of the update as it is stored.</summary>
    public required nuint SquaredNorm { get; init; }

    /// <summary><see cref="KernelWorkspace.MuonMomentum"/> bytes.</summary>
    public required nuint Workspace { get; init; }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.MuonMomentum(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Range.Gradient, Range.Count * Recipe.Gradients.Size());
        accesses.Update(Range.Moments, Range.Count * Recipe.Moments.Size());
        accesses.Read(Norms, (long)NormCount * sizeof(double));
        accesses.Write(Update);
        accesses.Write(SquaredNorm, sizeof(double));
        accesses.Update(Workspace, KernelWorkspace.MuonMomentum(Range.Count).Value);
        accesses.StepArguments();
    }
}

/// <summary>x /= max(norm, 1e-7), rounded once.</summary>
public readonly record struct MuonNormalizeArguments : IKernelArguments
{
    /// <summary>In place.</summary>
    public required Tensor X { get; init; }

    /// <summary>One fp64: the square of the norm.</summary>
    public required nuint SquaredNorm { get; init; }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.MuonNormalize(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Update(X);
        accesses.Read(SquaredNorm, sizeof(double));
    }
}

/// <summary>
/// w = w (1 - rate decay) - rate scale x, in fp32, with rate = the step's x its factor and decay = the step's x its factor + the matrix's
/// own; rounded as the recipe says.
/// </summary>
public readonly record struct MuonApplyArguments : IKernelArguments
{
    /// <summary>The weights and, where there are, master weights. Any alignment.</summary>
    public required UpdateRange Range { get; init; }

    /// <summary>How weights are stored.</summary>
    public required Recipe Recipe { get; init; }

    /// <summary>x, of the range's count.</summary>
    public required Tensor Direction { get; init; }

    /// <summary>Of x.</summary>
    public required float DirectionScale { get; init; }

    /// <summary>What their group makes of the step's learning rate and weight decay.</summary>
    public required UpdateScale Scale { get; init; }

    /// <summary>As of the momentum: where the norm is not finite, the weights stay as they are. 0 where it is not clipped.</summary>
    public required nuint Norms { get; init; }

    /// <summary>How many; 0 where it is not clipped.</summary>
    public required int NormCount { get; init; }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.MuonApply(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        // Master weights are what the update adds to; the parameters are these rounded.
        if (Recipe.Master is { } master)
        {
            accesses.Update(Range.Master, Range.Count * master.Size());
            accesses.Write(Range.Weights, Range.Count * Recipe.Parameters.Size());
        }
        else
        {
            accesses.Update(Range.Weights, Range.Count * Recipe.Parameters.Size());
        }

        accesses.Read(Direction);
        accesses.Read(Norms, (long)NormCount * sizeof(double));
        accesses.StepArguments();
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="MuonMomentumArguments"/>
    void MuonMomentum(in MuonMomentumArguments call);

    /// <inheritdoc cref="MuonNormalizeArguments"/>
    void MuonNormalize(in MuonNormalizeArguments call);

    /// <inheritdoc cref="MuonApplyArguments"/>
    void MuonApply(in MuonApplyArguments call);
}
