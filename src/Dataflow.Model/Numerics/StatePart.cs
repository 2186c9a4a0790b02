namespace Dataflow.Model;

/// <summary>A part of an optimizer's state.</summary>
/// <param name="Name">Of its file in a checkpoint, without the ending.</param>
/// <param name="Type">Of its numbers.</param>
/// <param name="Offset">
/// Where it begins in a piece of state, in bytes for each element of the piece: parts lie one after the other.
/// </param>
public sealed record StatePart(string Name, DType Type, long Offset)
{
    /// <summary>The name of the weights themselves, more precise than the kernels read them; they lie last.</summary>
    public const string MasterWeights = "master_weights";

    /// <summary>Whether these are what updates add to, and begin as the weights do; else it begins with zeros.</summary>
    public bool IsMaster => Name == MasterWeights;
}
