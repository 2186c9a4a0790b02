using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// What stays and what travels: how many slots each kind of object has on the device, and what forwards keep. Every field changes
/// memory and time only, never a result.
/// </summary>
public sealed record Residency
{
    /// <summary>Tensors that travelling activations consist of.</summary>
    public required SaveSet Travelling { get; init; }

    /// <summary>Tensors of those that keep more: all that the others keep and some, but K and V only if the others keep these.</summary>
    public SaveSet TravellingMore { get; init; }

    /// <summary>
    /// Sixteenths of the pairs of layer and chunk that keep more, spread over all layers (<see cref="SavePattern"/>); 0: none.
    /// </summary>
    public int MoreSixteenths { get; init; }

    /// <summary>
    /// In the last round none keeps more: its backward shares the link with the optimizer's state, and repeating some computation can
    /// take less time than what it would wait for.
    /// </summary>
    public bool LastRoundKeepsLess { get; init; }

    /// <summary>Pairs of layer and chunk whose activations never leave.</summary>
    public required int ResidentChunks { get; init; }

    /// <summary>These pairs are spread over all layers; otherwise they are the last ones of the forward.</summary>
    public bool ResidentsSpread { get; init; }

    /// <summary>What these keep; where chunks share a window, K and V exactly if the others keep these.</summary>
    public SaveSet ResidentSet { get; init; } = SaveSet.All;

    /// <summary>
    /// A round's backward alternates, chunk by chunk, with the next one's forward, so that copies in both directions run all the time.
    /// The order in which gradients accumulate stays.
    /// </summary>
    public bool Interleaved { get; init; }

    /// <summary>Slots for blocks' parameters: a ring that turns around with the pass, or all of them.</summary>
    public required int WeightSlots { get; init; }

    /// <summary>Slots for blocks' gradients in the ring of those that travel.</summary>
    public required int GradientSlots { get; init; }

    /// <summary>That ring turns in the last round too, in which gradients are used up (<see cref="Replacement.Rotation"/>).</summary>
    public bool GradientsRotate { get; init; }

    /// <summary>Blocks whose gradients never leave (the first ones).</summary>
    public required int ResidentGradients { get; init; }

    /// <summary>Slots for pieces of optimizer state in the ring of those that travel.</summary>
    public required int OptimizerSlots { get; init; }

    /// <summary>Pieces of optimizer state that never leave (the first in order of use).</summary>
    public required int ResidentPieces { get; init; }

    /// <summary>Embedding and head have parameters and gradients of their own on the device; otherwise they take turns.</summary>
    public required bool VocabularyResident { get; init; }

    /// <summary>
    /// Slots in which the blocks of embedding and head take turns, where the vocabulary is cut; whole, they take turns in one.
    /// </summary>
    public int VocabularySlots { get; init; } = 1;

    /// <summary>Slots for residual streams besides those that resident groups need.</summary>
    public required int StreamSlots { get; init; }

    /// <summary>Slots for travelling activations.</summary>
    public required int ActivationSlots { get; init; }

    /// <summary>Context windows besides those that resident groups need.</summary>
    public required int WindowSlots { get; init; }

    /// <summary>
    /// Segments that context windows and their gradients are streamed by; 1: whole windows. A streamed window has
    /// <see cref="WindowSlots"/> slots of one segment each, for keys and values as for their gradients. Then nothing is resident (its
    /// activations are larger than the windows that did not fit), and what travels is such that <see cref="LayerPrograms.MayStream"/>.
    /// </summary>
    public int WindowSegments { get; init; } = 1;

    /// <summary>
    /// Slots for the gradients of residual streams, and as many for those of the head's input; one a chunk unless they travel.
    /// </summary>
    public required int GradStreamSlots { get; init; }

    /// <summary>
    /// The same with rounds that interleave: of what travels, the slots that a forward fills and those that a backward empties at the same
    /// time; of weights, two for each pass.
    /// </summary>
    public Residency Interleaving(Workload workload) => this with
    {
        Interleaved = true,
        WeightSlots = Math.Min(Math.Max(WeightSlots, 4), workload.Model.LayerCount),
        StreamSlots = StreamSlots + workload.Geometry.ChunksPerRound + 2,
        GradStreamSlots = 2 * workload.Geometry.ChunksPerRound,
        ActivationSlots = 2 * ActivationSlots,
        WindowSlots = 2 * WindowSlots,
    };
}
