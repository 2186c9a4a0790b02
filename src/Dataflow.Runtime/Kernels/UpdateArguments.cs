using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>The step's update of a run of elements, by any optimizer.</summary>
public readonly record struct UpdateArguments : IKernelArguments
{
    /// <summary>The elements.</summary>
    public required UpdateRange Range { get; init; }

    /// <summary>Says what an update computes, and how many moments there are.</summary>
    public required Optimizer Optimizer { get; init; }

    /// <summary>How weights and moments are stored.</summary>
    public required Recipe Recipe { get; init; }

    /// <summary>What their group makes of the step's learning rate and weight decay.</summary>
    public required UpdateScale Scale { get; init; }

    /// <summary>Sums of squares (fp64) from which the gradients' global norm follows; 0 where it is not clipped.</summary>
    public required nuint Norms { get; init; }

    /// <summary>How many; 0 where it is not clipped.</summary>
    public required int NormCount { get; init; }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.Update(this);

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

        accesses.Read(Range.Gradient, Range.Count * Recipe.Gradients.Size());
        for (int i = 0; i < Optimizer.Moments.Length; i++)
        {
            accesses.Update(Range.Moment(i), Range.Count * Recipe.Moments.Size());
        }

        accesses.Read(Norms, (long)NormCount * sizeof(double));
        accesses.StepArguments();
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="UpdateArguments"/>
    void Update(in UpdateArguments call);
}
