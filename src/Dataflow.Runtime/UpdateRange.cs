namespace Dataflow.Runtime;

/// <summary>
/// A run of a parameter object's elements with their gradients and optimizer state: addresses of the first element of each.
/// </summary>
/// <param name="Weights">The parameters.</param>
/// <param name="Gradient">Their gradients.</param>
/// <param name="Moments">The first of what the optimizer keeps; the others lie at equal distances.</param>
/// <param name="MomentStride">Bytes from one to the next.</param>
/// <param name="Master">0 where the recipe has no master weights.</param>
/// <param name="Object">Number of the parameter object among those of the step; with the element, what random bits are drawn for.</param>
/// <param name="FirstElement">Of the object.</param>
/// <param name="Count">Elements.</param>
public readonly record struct UpdateRange(
    nuint Weights, nuint Gradient, nuint Moments, long MomentStride, nuint Master, int Object, long FirstElement, long Count)
{
    /// <summary>What the optimizer keeps, by the order of its moments.</summary>
    public nuint Moment(int index) => Moments + (nuint)(nint)(index * MomentStride);
}
