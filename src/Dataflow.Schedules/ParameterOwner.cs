using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Schedules;

/// <summary>
/// Whose parameters, gradients or optimizer state: a layer's or those in one of its objects, the embedding's or the head's, or those of a
/// block of the rows of one of these two.
/// </summary>
/// <param name="Layer">Null for embedding and head.</param>
/// <param name="IsHead">The head; otherwise, without a layer, the embedding.</param>
/// <param name="Block">Where the vocabulary is cut: the rows. The head without one is what is left of it, its norm.</param>
/// <param name="Part">Which of the layer's objects, where its parameters lie in several.</param>
public readonly record struct ParameterOwner(Layer? Layer, bool IsHead = false, VocabularyBlock? Block = null, int Part = 0)
{
    /// <summary>The head; where its matrix lies in blocks, what is left.</summary>
    public static ParameterOwner Head => new(null, IsHead: true);

    /// <summary>What of embedding and head is trained otherwise than the rest: adapters of either, or the norm.</summary>
    public static ParameterOwner Apart => new(null, IsHead: true, Part: 1);

    /// <summary>The embedding table, or a block of it where it is cut.</summary>
    public static ParameterOwner Embedding(VocabularyBlock? block) => new(null, Block: block);

    /// <summary>A block of the head's own matrix.</summary>
    public static ParameterOwner HeadBlock(VocabularyBlock block) => new(null, IsHead: true, block);

    /// <summary>How its weights lie in memory.</summary>
    public ParameterLayout Layout(BlockPrograms programs) =>
        this switch
        {
            { Layer: { } layer } => programs[layer].Parts[Part],
            { IsHead: true, Block: { } b } => programs.HeadBlockLayouts[b.Index],
            { IsHead: true, Part: 1 } => programs.ApartLayout!,
            { IsHead: true } => programs.HeadLayout,
            _ => programs.EmbeddingLayouts[Block?.Index ?? 0],
        };

    /// <summary>"L05", "L05/E1", "embed", "embed/B1", "head", "head/E1", "head/B0".</summary>
    public override string ToString() =>
        (Layer is { } l ? l.ToString() : IsHead ? "head" : "embed")
        + (Part == 0 ? "" : "/E" + Part.ToString(CultureInfo.InvariantCulture))
        + (Block is { } b ? $"/{b}" : "");
}
