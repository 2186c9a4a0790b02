using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// How many slots the device has for each kind of object whose number is a choice: as many as the residency asks for, and no more than
/// there are objects to fill them. <see cref="DevicePools"/> and <see cref="MemorySizes"/> count by it.
/// </summary>
internal readonly record struct SlotCounts
{
    /// <summary>Token and segment tables.</summary>
    public int Tables { get; private init; }

    /// <summary>Blocks' parameters.</summary>
    public int Weights { get; private init; }

    /// <summary>Blocks' gradients that travel.</summary>
    public int Gradients { get; private init; }

    /// <summary>Pieces of optimizer state that travel.</summary>
    public int Moments { get; private init; }

    /// <summary>Pieces of optimizer state that stay.</summary>
    public int ResidentMoments { get; private init; }

    /// <summary>Residual streams.</summary>
    public int Streams { get; private init; }

    /// <summary>Gradients of residual streams.</summary>
    public int GradStreams { get; private init; }

    /// <summary>Context windows, or segments of them.</summary>
    public int Windows { get; private init; }

    /// <summary>Gradients of these.</summary>
    public int GradWindows { get; private init; }

    /// <summary>Gradients of the head's input, where the vocabulary is cut.</summary>
    public int GradHeads { get; private init; }

    /// <summary>Activations that travel; all where those that stay share their pool; none where nothing is kept.</summary>
    public int Activations { get; private init; }

    /// <summary>Activations that stay, in a pool of their own.</summary>
    public int ResidentActivations { get; private init; }

    /// <summary>Of a residency.</summary>
    /// <param name="workload">Model, recipe and geometry.</param>
    /// <param name="programs">Of the same workload.</param>
    /// <param name="pieces">Pieces of optimizer state of the whole model.</param>
    /// <param name="residency">What stays on the device and what travels.</param>
    /// <param name="pattern">Of the activations that travel.</param>
    public static SlotCounts Of(Workload workload, BlockPrograms programs, int pieces, Residency residency, SavePattern pattern)
    {
        var geometry = workload.Geometry;
        int layers = workload.Model.LayerCount,
            chunks = geometry.ChunksPerRound,
            resident = residency.ResidentChunks,
            segments = residency.WindowSegments;
        int alive = pattern.Interleaves ? 2 : 1;
        bool training = workload.Kind.Updates(), onePool = DevicePools.OnePool(residency);
        return new SlotCounts
        {
            Tables = Math.Min(alive * alive, geometry.Rounds) * chunks,
            Weights = Math.Min(residency.WeightSlots, layers),
            Gradients = Math.Min(residency.GradientSlots, layers - residency.ResidentGradients),
            Moments = training ? Math.Min(residency.OptimizerSlots, pieces - residency.ResidentPieces) : 0,
            ResidentMoments = training ? residency.ResidentPieces : 0,
            Streams = Math.Min(residency.StreamSlots + resident, (layers + 1) * chunks * alive),
            GradStreams = Math.Min(residency.GradStreamSlots, alive * chunks),
            Windows = Math.Min(
                residency.WindowSlots + (resident / geometry.ChunksPerGroup),
                layers * geometry.GroupsPerRound * segments * alive
            ),
            GradWindows = segments == 1 ? 1 : Math.Min(residency.WindowSlots, segments),
            GradHeads = programs.Vocabulary.AreCut && workload.Kind.HasBackward() ? Math.Min(residency.GradStreamSlots, chunks) : 0,
            Activations = programs.ActivationsSize(pattern.Most) == Bytes.Zero ? 0
                : onePool ? Math.Min(residency.ActivationSlots + resident, layers * chunks)
                : Math.Min(residency.ActivationSlots, pattern.Travelling),
            ResidentActivations = onePool ? 0 : resident,
        };
    }
}
