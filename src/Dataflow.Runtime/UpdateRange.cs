namespace Dataflow.Runtime;

/// <summary>
/// A run of a parameter object's elements with their gradients and optimizer state: addresses of the first element of each.
/// </summary>
/// <param name="Weights">The parameters.</param>
/// <param name="Gradient">Their gradients.</param>
/// <param name="FirstMoment">AdamW's m.</param>
/// <param name="SecondMoment">AdamW's v.</param>
/// <param name="Master">0 where the recipe has no master weights.</param>
/// <param name="Object">Number of the parameter object among those of the step; with the element, what random bits are drawn for.</param>
/// <param name="FirstElement">Of the object.</param>
/// <param name="Count">Elements.</param>
public readonly record struct UpdateRange(
    nuint Weights, nuint Gradient, nuint FirstMoment, nuint SecondMoment, nuint Master, int Object, long FirstElement, long Count);
