using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>One of the objects in which a schedule holds a parameter object: "L05", "embed", "head/B1".</summary>
/// <param name="Owner">Whose parameters "W/L05", gradients "G/L05", moments "O/L05/P0" they are.</param>
/// <param name="FirstElement">Of the parameter object.</param>
/// <param name="ElementCount">Elements that it has.</param>
/// <param name="IsTrained">It has gradients and optimizer state.</param>
/// <param name="Storage">The type of its parameters, if not the recipe's.</param>
internal readonly record struct StoredObject(
    ParameterOwner Owner,
    long FirstElement,
    long ElementCount,
    bool IsTrained = true,
    DType? Storage = null
)
{
    /// <summary>What of a range of the parameter object's elements lies in this one; no elements if nothing does.</summary>
    public (long First, int Count) Within(long first, long count)
    {
        long begin = Math.Max(first, FirstElement), end = Math.Min(first + count, FirstElement + ElementCount);
        return (begin, (int)Math.Max(0, end - begin));
    }
}

/// <summary>
/// How a schedule holds each parameter object: whole, a layer in several, or, where the vocabulary is cut, the embedding and the head in
/// blocks of rows.
/// Objects follow each other as the rows do, so that checkpoints know nothing of blocks.
/// </summary>
internal sealed class StoredObjects
{
    private readonly StoredObject[] embedding;
    private readonly StoredObject[] head;
    private readonly BlockPrograms programs;

    public StoredObjects(Workload workload)
    {
        programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
        embedding = [.. Rows(ParameterOwner.Embedding(null), programs.EmbeddingLayouts, programs.Vocabulary.AreCut, 0)];
        long norm = programs.HeadLayout.ElementCount;
        head =
        [
            new StoredObject(ParameterOwner.Head, 0, norm, programs.HeadLayout.IsTrained),
            .. Rows(ParameterOwner.Head, programs.HeadBlockLayouts, cut: true, norm),
            .. programs.ApartLayout is { } apart
                ? [new StoredObject(ParameterOwner.Apart, apart.FirstElement, apart.ElementCount, apart.IsTrained)]
                : Array.Empty<StoredObject>(),
        ];
    }

    /// <summary>In the order of their elements, which are all of the parameter object's.</summary>
    public IReadOnlyList<StoredObject> Of(ParameterObject weights) =>
        weights.Kind switch
        {
            ParameterObjectKind.Embedding => embedding,
            ParameterObjectKind.Head => head,
            _ => [.. programs[weights.Layer].Parts.Select((p, i) => OfLayer(weights.Layer, p, i))],
        };

    private static StoredObject OfLayer(Layer layer, ParameterLayout part, int index) =>
        new(new ParameterOwner(layer, Part: index), part.FirstElement, part.ElementCount, part.IsTrained, part.Tensors[0].Spec.Storage);

    private static IEnumerable<StoredObject> Rows(ParameterOwner owner, IReadOnlyList<ParameterLayout> layouts, bool cut, long first)
    {
        for (int b = 0; b < layouts.Count; b++)
        {
            var block = owner with { Block = cut ? new VocabularyBlock(b) : null };
            yield return new StoredObject(block, first, layouts[b].ElementCount, layouts[b].IsTrained);
            first += layouts[b].ElementCount;
        }
    }
}
