using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>
/// A way to cut the step, and what a search knows of it. Sizes and estimates of residencies are for one thread at a time.
/// </summary>
internal sealed class SearchGeometry
{
    // Families that no budget reaches have none.
    private readonly Lazy<StepEstimate> estimate;

    public SearchGeometry(Workload workload, CostModel machine)
    {
        Workload = workload;
        Programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
        Sizes = new MemorySizes(workload, Programs);
        estimate = new(() => new StepEstimate(workload, Programs, machine));
    }

    /// <summary>The workload.</summary>
    public Workload Workload { get; }

    /// <summary>Its programs.</summary>
    public BlockPrograms Programs { get; }

    /// <summary>Memory of its residencies.</summary>
    public MemorySizes Sizes { get; }

    /// <summary>Time of its residencies.</summary>
    public StepEstimate Estimate => estimate.Value;

    /// <summary>Embedding and head are large enough apart from each other, or cut, that they can take turns or stay.</summary>
    public bool VocabularyMayStay => Programs.Vocabulary.AreCut ? VocabularyMemory.BlockCount(Programs) > 2 : !Workload.Model.TiedEmbedding;
}
