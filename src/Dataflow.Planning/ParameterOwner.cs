using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>Whose parameters: a layer's, the embedding's or the head's, or a block of the rows of one of these two.</summary>
internal readonly record struct ParameterOwner(Layer? Layer, bool IsHead = false, VocabularyBlock? Block = null)
{
    /// <summary>The head; where its matrix lies in blocks, what is left.</summary>
    public static ParameterOwner Head => new(null, IsHead: true);

    /// <summary>The embedding table, or a block of it where it is cut.</summary>
    public static ParameterOwner Embedding(VocabularyBlock? block) => new(null, Block: block);

    /// <summary>A block of the head's own matrix.</summary>
    public static ParameterOwner HeadBlock(VocabularyBlock block) => new(null, IsHead: true, block);

    /// <summary>How many there are.</summary>
    public static int Count(ModelConfig model, BlockPrograms programs) =>
        programs.EmbeddingLayouts.Length + model.LayerCount + 1 + programs.HeadBlockLayouts.Length;

    /// <summary>Place among all of them: embedding, layers, head, blocks of the head.</summary>
    public int Index(ModelConfig model, BlockPrograms programs)
    {
        int embedding = programs.EmbeddingLayouts.Length;
        return Layer is { } l ? embedding + l.Index
            : !IsHead ? Block?.Index ?? 0
            : embedding + model.LayerCount + (Block is { } b ? b.Index + 1 : 0);
    }

    /// <summary>How its weights lie in memory.</summary>
    public ParameterLayout Layout(BlockPrograms programs) => this switch
    {
        { Layer: not null } => programs.BlockLayout,
        { IsHead: true, Block: { } b } => programs.HeadBlockLayouts[b.Index],
        { IsHead: true } => programs.HeadLayout,
        _ => programs.EmbeddingLayouts[Block?.Index ?? 0],
    };

    /// <summary>"L05", "embed", "embed/B1", "head", "head/B0".</summary>
    public override string ToString() => Layer is { } l ? l.ToString() : (IsHead ? "head" : "embed") + (Block is { } b ? $"/{b}" : "");
}
