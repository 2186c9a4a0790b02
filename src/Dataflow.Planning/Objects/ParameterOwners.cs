using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>All parameter objects of a workload: embedding, layers, head, blocks of the head.</summary>
internal static class ParameterOwners
{
    /// <summary>How many there are.</summary>
    public static int Count(ModelConfig model, BlockPrograms programs) =>
        programs.EmbeddingLayouts.Length + model.LayerCount + 1 + programs.HeadBlockLayouts.Length;

    /// <summary>Place among all of them.</summary>
    public static int Index(this ParameterOwner owner, ModelConfig model, BlockPrograms programs)
    {
        int embedding = programs.EmbeddingLayouts.Length;
        return owner.Layer is { } l ? embedding + l.Index
            : !owner.IsHead ? owner.Block?.Index ?? 0
            : embedding + model.LayerCount + (owner.Block is { } b ? b.Index + 1 : 0);
    }

    /// <summary>How its weights lie in memory.</summary>
    public static ParameterLayout Layout(this ParameterOwner owner, BlockPrograms programs) =>
        owner switch
        {
            { Layer: { } layer } => programs[layer].Parameters,
            { IsHead: true, Block: { } b } => programs.HeadBlockLayouts[b.Index],
            { IsHead: true } => programs.HeadLayout,
            _ => programs.EmbeddingLayouts[owner.Block?.Index ?? 0],
        };
}
