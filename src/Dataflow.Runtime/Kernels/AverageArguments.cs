using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>The step's update of a moving average of weights: the weights in step 1, then d e + (1 - d) w.</summary>
public readonly record struct AverageArguments : IKernelArguments
{
    /// <summary>After their update.</summary>
    public required nuint Weights { get; init; }

    /// <summary>Of the weights.</summary>
    public required DType Type { get; init; }

    /// <summary>fp32.</summary>
    public required nuint Average { get; init; }

    /// <summary>Elements.</summary>
    public required long Count { get; init; }

    /// <summary>Sums of squares (fp64) of which the gradients' global norm is: where it is not finite, the average stays.</summary>
    public required nuint Norms { get; init; }

    /// <summary>How many; 0 where it is not clipped.</summary>
    public required int NormCount { get; init; }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.Average(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Weights, Count * Type.Size());
        accesses.Update(Average, Count * sizeof(float));
        accesses.Read(Norms, (long)NormCount * sizeof(double));
        accesses.StepArguments();
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="AverageArguments"/>
    void Average(in AverageArguments call);
}
