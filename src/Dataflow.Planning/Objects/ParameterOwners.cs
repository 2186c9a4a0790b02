using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>All trained parameter objects of a workload: embedding, layers, head, blocks of the head.</summary>
internal sealed class ParameterOwners
{
    private readonly Dictionary<ParameterOwner, int> places = [];

    public ParameterOwners(ModelConfig model, BlockPrograms programs)
    {
        bool cut = programs.Vocabulary.AreCut;
        for (int b = 0; b < programs.EmbeddingLayouts.Length && model.TrainsEmbedding; b++)
        {
            Add(ParameterOwner.Embedding(cut ? new VocabularyBlock(b) : null));
        }

        foreach (var l in model.Layers)
        {
            for (int p = 0; p < programs[l].Parts.Length; p++)
            {
                if (programs[l].Parts[p].IsTrained)
                {
                    Add(new ParameterOwner(l, Part: p));
                }
            }
        }

        if (model.TrainsHead)
        {
            Add(ParameterOwner.Head);
            for (int b = 0; b < programs.HeadBlockLayouts.Length; b++)
            {
                Add(ParameterOwner.HeadBlock(new VocabularyBlock(b)));
            }
        }

        if (programs.ApartLayout is { IsTrained: true })
        {
            Add(ParameterOwner.Apart);
        }
    }

    /// <summary>How many there are.</summary>
    public int Count => places.Count;

    /// <summary>Place among all of them.</summary>
    public int Index(ParameterOwner owner) => places[owner];

    private void Add(ParameterOwner owner) => places.Add(owner, places.Count);
}
