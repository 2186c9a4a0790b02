using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// A residency of a workload, with all that the sizes, slots and homes of its objects follow from (<see cref="ObjectRow"/>).
/// </summary>
internal sealed class SizedResidency(MemorySizes sizes, Residency residency)
{
    public SizedResidency(Workload workload, BlockPrograms programs, Residency residency)
        : this(new MemorySizes(workload, programs), residency) { }

    public Residency Residency => residency;

    /// <summary>What forwards keep, what never leaves, where the others are at home.</summary>
    public SavePattern Pattern { get; } = new(sizes.Workload.Model, sizes.Workload.Geometry, sizes.Workload.Kind, residency);

    /// <summary>What does not depend on the residency.</summary>
    public MemorySizes Sizes => sizes;

    public ModelConfig Model => sizes.Workload.Model;

    public Geometry Geometry => sizes.Workload.Geometry;

    public BlockPrograms Programs => sizes.Programs;

    /// <summary>Bytes of scratch: the most that any op needs.</summary>
    public Bytes Scratch => sizes.Scratch.Of(residency);

    /// <summary>Layers.</summary>
    public int Layers => sizes.Layers;

    /// <summary>Chunks of a round.</summary>
    public int Chunks => sizes.Chunks;

    /// <summary>Rounds that are alive at once.</summary>
    public int Alive => Pattern.Interleaves ? 2 : 1;

    /// <summary>Activations that travel and those that stay are alike and share their slots.</summary>
    public bool OneActivationPool =>
        residency.Travelling == residency.ResidentSet
        && residency.MoreSixteenths == 0
        && !residency.Interleaved
        && !residency.ResidentsSpread;
}
