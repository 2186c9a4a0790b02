namespace Dataflow.Model;

/// <summary>A part of an optimizer's state: the numbers of one file of a checkpoint.</summary>
/// <param name="Name">Of its file in a checkpoint, without the ending.</param>
/// <param name="Type">Of its numbers.</param>
public sealed record StatePart(string Name, DType Type)
{
    /// <summary>The name of the weights themselves, more precise than the kernels read them; they lie last.</summary>
    public const string MasterWeights = "master_weights";

    /// <summary>The name of what walks where an optimizer trains an average.</summary>
    public const string Walk = "z";

    /// <summary>The name of a moving average of the weights.</summary>
    public const string Average = "average";

    /// <summary>Weights that share a number of it: 1, or those of a block where it is what a block's numbers are multiplied by.</summary>
    public int ElementsPerValue { get; init; } = 1;

    /// <summary>Whether these are what updates add to.</summary>
    public bool IsMaster => Name == MasterWeights;

    /// <summary>Whether these are weights, too: they begin as the weights do, and are those of what is frozen.</summary>
    public bool BeginsAsWeights => IsMaster || Name is Walk or Average;

    /// <summary>Bytes of so many weights' numbers.</summary>
    public Bytes SizeOf(long elements) => Type.SizeOf((elements + ElementsPerValue - 1) / ElementsPerValue);
}
