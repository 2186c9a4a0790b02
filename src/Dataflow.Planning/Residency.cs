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
    public required TensorSet Travelling { get; init; }

    /// <summary>Groups (layer and chunk group) at the end of the forward whose activations are kept whole and never leave.</summary>
    public required int ResidentGroups { get; init; }

    /// <summary>Slots for blocks' parameters: a ring that turns around with the pass, or all of them.</summary>
    public required int WeightSlots { get; init; }

    /// <summary>Slots for blocks' gradients in the ring of those that travel.</summary>
    public required int GradientSlots { get; init; }

    /// <summary>Blocks whose gradients never leave (the first ones).</summary>
    public required int ResidentGradients { get; init; }

    /// <summary>Slots for pieces of optimizer state in the ring of those that travel.</summary>
    public required int OptimizerSlots { get; init; }

    /// <summary>Pieces of optimizer state that never leave (the first in order of use).</summary>
    public required int ResidentPieces { get; init; }

    /// <summary>Embedding and head have parameters and gradients of their own on the device; otherwise they take turns.</summary>
    public required bool VocabularyResident { get; init; }

    /// <summary>Slots in which the blocks of embedding and head take turns, where the vocabulary is cut; whole, they take turns in one.</summary>
    public int VocabularySlots { get; init; } = 1;

    /// <summary>Slots for residual streams besides those that resident groups need.</summary>
    public required int StreamSlots { get; init; }

    /// <summary>Slots for travelling activations.</summary>
    public required int ActivationSlots { get; init; }

    /// <summary>Context windows besides those that resident groups need.</summary>
    public required int WindowSlots { get; init; }

    /// <summary>
    /// Segments that context windows and their gradients are streamed by; 1: whole windows. A streamed window has
    /// <see cref="WindowSlots"/> slots of one segment each, for keys and values as for their gradients. Then no group is resident (its
    /// activations are larger than the windows that did not fit), and what travels is such that <see cref="BlockPrograms.MayStream"/>.
    /// </summary>
    public int WindowSegments { get; init; } = 1;

    /// <summary>Slots for the gradients of residual streams, and as many for those of the head's input; one a chunk unless they travel.</summary>
    public required int GradStreamSlots { get; init; }
}
