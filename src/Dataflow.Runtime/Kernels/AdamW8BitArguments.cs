using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// The step's AdamW update of a run of whole blocks of one tensor, whose moments are stored as codes and scales (<see cref="DynamicMap"/>,
/// signed for the first moments, unsigned for the second): addresses of the first element of each.
/// </summary>
public readonly record struct AdamW8BitArguments : IKernelArguments
{
    /// <summary>The parameters [count].</summary>
    public required nuint Weights { get; init; }

    /// <summary>Their gradients [count].</summary>
    public required nuint Gradient { get; init; }

    /// <summary>Codes of the first moments [count], a byte each.</summary>
    public required nuint FirstCodes { get; init; }

    /// <summary>Scales of the first moments, fp32 [count / 256]; zeros at first, as the codes may be.</summary>
    public required nuint FirstScales { get; init; }

    /// <summary>Codes of the second moments [count], a byte each.</summary>
    public required nuint SecondCodes { get; init; }

    /// <summary>Scales of the second moments, fp32 [count / 256]; zeros at first, as the codes may be.</summary>
    public required nuint SecondScales { get; init; }

    /// <summary>Master weights [count]; 0 where the recipe has none.</summary>
    public required nuint Master { get; init; }

    /// <summary>Number of the parameter object among those of the step; with the element, what random bits are drawn for.</summary>
    public required int Object { get; init; }

    /// <summary>Of the object, that element 0 here is; a multiple of 8, and the first of a block.</summary>
    public required long FirstElement { get; init; }

    /// <summary>Elements, a multiple of <see cref="DynamicMap.BlockElements"/>.</summary>
    public required long Count { get; init; }

    /// <summary>How weights and gradients are stored, and whether weights are rounded stochastically. Moments never are.</summary>
    public required Recipe Recipe { get; init; }

    /// <summary>Sums of squares (fp64) from which the gradients' global norm follows; 0 where it is not clipped.</summary>
    public required nuint Norms { get; init; }

    /// <summary>How many; 0 where it is not clipped.</summary>
    public required int NormCount { get; init; }

    /// <summary>What their group makes of the step's learning rate and weight decay.</summary>
    public required UpdateScale Scale { get; init; }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.AdamW8Bit(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        // Master weights are what the update adds to; the parameters are these rounded.
        if (Recipe.Master is { } master)
        {
            accesses.Update(Master, Count * master.Size());
            accesses.Write(Weights, Count * Recipe.Parameters.Size());
        }
        else
        {
            accesses.Update(Weights, Count * Recipe.Parameters.Size());
        }

        accesses.Read(Gradient, Count * Recipe.Gradients.Size());
        accesses.Update(FirstCodes, Count);
        accesses.Update(FirstScales, KernelAccesses.Floats(Count / DynamicMap.BlockElements));
        accesses.Update(SecondCodes, Count);
        accesses.Update(SecondScales, KernelAccesses.Floats(Count / DynamicMap.BlockElements));
        accesses.Read(Norms, (long)NormCount * sizeof(double));
        accesses.StepArguments();
    }

    /// <summary>Refuses a run that does not consist of whole blocks.</summary>
    /// <exception cref="ArgumentException">Its count or its first element is no such multiple.</exception>
    public void ThrowIfCut()
    {
        if (Count % DynamicMap.BlockElements != 0 || FirstElement % 8 != 0)
        {
            throw new ArgumentException(
                $"{Count} elements from {FirstElement} on are not whole blocks of {DynamicMap.BlockElements} that begin at a multiple of 8"
            );
        }
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="AdamW8BitArguments"/>
    void AdamW8Bit(in AdamW8BitArguments call);
}
