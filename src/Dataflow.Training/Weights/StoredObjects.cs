using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>One of the objects in which a schedule holds a parameter object: "L05", "embed", "head/B1".</summary>
/// <param name="Name">Without the letter that says of what: parameters "W/L05", gradients "G/L05", moments "O/L05/P0".</param>
/// <param name="FirstElement">Of the parameter object.</param>
/// <param name="ElementCount">Elements that it has.</param>
internal readonly record struct StoredObject(string Name, long FirstElement, long ElementCount)
{
    /// <summary>What of a range of the parameter object's elements lies in this one; no elements if nothing does.</summary>
    public (long First, int Count) Within(long first, long count)
    {
        long begin = Math.Max(first, FirstElement), end = Math.Min(first + count, FirstElement + ElementCount);
        return (begin, (int)Math.Max(0, end - begin));
    }
}

/// <summary>
/// How a schedule holds each parameter object: whole, or, where the vocabulary is cut, the embedding and the head in blocks of rows.
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
        embedding = [.. Rows("embed", programs.EmbeddingLayouts, programs.Vocabulary.AreCut, 0)];
        long norm = programs.HeadLayout.ElementCount;
        head = [new StoredObject("head", 0, norm), .. Rows("head", programs.HeadBlockLayouts, cut: true, norm)];
    }

    /// <summary>In the order of their elements, which are all of the parameter object's.</summary>
    public IReadOnlyList<StoredObject> Of(ParameterObject weights) => weights.Kind switch
    {
        ParameterObjectKind.Embedding => embedding,
        ParameterObjectKind.Head => head,
        _ => [new StoredObject(weights.Layer.ToString(), 0, programs[weights.Layer].Parameters.ElementCount)],
    };

    private static IEnumerable<StoredObject> Rows(string name, IReadOnlyList<ParameterLayout> layouts, bool cut, long first)
    {
        for (int b = 0; b < layouts.Count; b++)
        {
            yield return new StoredObject(cut ? $"{name}/{new VocabularyBlock(b)}" : name, first, layouts[b].ElementCount);
            first += layouts[b].ElementCount;
        }
    }
}
