using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>How an optimizer updates one tensor of a checkpoint, and what it keeps of it.</summary>
/// <param name="Rule">What an update computes.</param>
/// <param name="Parts">What is kept, in the order in which it lies in memory.</param>
/// <param name="Granule">
/// Elements that an update must have at once, counted from the tensor's start: 1 where it is elementwise, a block, or the whole matrix.
/// </param>
public sealed record TensorUpdate(UpdateRule Rule, ImmutableArray<StatePart> Parts, long Granule)
{
    /// <summary>Whether one launch may update this and what another describes.</summary>
    public bool IsLike(TensorUpdate other) => Rule == other.Rule && Granule == other.Granule && Parts.SequenceEqual(other.Parts);
}

/// <summary>The tensors that an optimizer updates otherwise than the rest.</summary>
/// <param name="Rule">What their update computes.</param>
/// <param name="Parts">What is kept of them under a recipe, without master weights.</param>
/// <param name="Has">Whether a tensor of a checkpoint, part of that parameter, is one of them.</param>
/// <param name="Granule">Elements of a tensor that its update must have at once.</param>
internal sealed record SpecialTensors(
    UpdateRule Rule,
    Func<Recipe, ImmutableArray<StatePart>> Parts,
    Func<ParameterSpec, WeightPart, bool> Has,
    Func<WeightPart, long> Granule);
