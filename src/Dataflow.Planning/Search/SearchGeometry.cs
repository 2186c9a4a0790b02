using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>A way to cut the step, and what a search knows of it. Sizes and estimates are for one thread at a time.</summary>
internal sealed class SearchGeometry(Workload workload, CostModel machine)
{
    private readonly Lazy<StepEstimate> estimate = new(() => new StepEstimate(workload, new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry), machine));
    private readonly Lazy<long> floor = new(() => (long)new StepEstimate(workload, new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry), machine).Floor);

    /// <summary>The workload.</summary>
    public Workload Workload => workload;

    /// <summary>Its programs.</summary>
    public BlockPrograms Programs { get; } = new(workload.Model, workload.Recipe, workload.Geometry);

    /// <summary>Memory of its residencies.</summary>
    public MemorySizes Sizes => sizes ??= new MemorySizes(workload, Programs);

    /// <summary>Time of its residencies.</summary>
    public StepEstimate Estimate => estimate.Value;

    /// <summary>A step in which nothing is repeated and nothing waits.</summary>
    public long FloorNanoseconds => floor.Value;

    /// <summary>Embedding and head are large enough apart from each other, or cut, that they can take turns or stay.</summary>
    public bool VocabularyMayStay => Programs.Vocabulary.AreCut ? VocabularyMemory.BlockCount(Programs) > 2 : !workload.Model.TiedEmbedding;

    private MemorySizes? sizes;
}
