using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// The objects of a workload that hold experts alone: those of all layers take turns in one pool of slots, as do their gradients.
/// </summary>
internal sealed class ExpertObjects
{
    private readonly int[] before;
    private readonly int[] trainedBefore;
    private readonly Bytes[] largestWeights;
    private readonly Bytes[] largestGradients;
    private readonly BlockPrograms programs;

    private ExpertObjects(Workload workload, BlockPrograms programs)
    {
        this.programs = programs;
        var layers = workload.Model.Layers.Select(l => programs[l]).ToList();
        before = Before(layers.Select(k => k.ExpertParts.Length));
        trainedBefore = Before(layers.Select(k => k.ExpertParts.Count(p => k.Parts[p].IsTrained)));
        largestWeights = MemorySizes.Sums(layers.SelectMany(k => k.ExpertParts.Select(p => k.WeightsSize(p).Aligned)));
        largestGradients = MemorySizes.Sums(
            layers.SelectMany(k => k.ExpertParts.Where(p => k.Parts[p].IsTrained).Select(p => k.GradientsSize(p).Aligned)));
    }

    /// <summary>Null where experts lie with the other parameters.</summary>
    public static ExpertObjects? Of(Workload workload, BlockPrograms programs) =>
        workload.Geometry.ExpertGroups is null ? null : new(workload, programs);

    /// <summary>How many there are.</summary>
    public int Count => before[^1];

    /// <summary>Of these, those that are trained.</summary>
    public int Trained => trainedBefore[^1];

    /// <summary>Those that are trained of the layers before one.</summary>
    public int TrainedBefore(int layer) => trainedBefore[layer];

    /// <summary>An object's place among all of them.</summary>
    public int PlaceOf(ParameterOwner owner) =>
        before[owner.Layer!.Value.Index] + programs[owner.Layer!.Value].ExpertParts.IndexOf(owner.Part);

    /// <summary>Bytes of parameters of so many of them, the largest.</summary>
    public Bytes LargestWeights(int count) => largestWeights[count];

    /// <summary>Bytes of gradients likewise.</summary>
    public Bytes LargestGradients(int count) => largestGradients[count];

    /// <summary>Bytes of the largest.</summary>
    public Bytes Weights => largestWeights[Math.Min(1, Count)];

    /// <summary>Bytes of the largest gradients.</summary>
    public Bytes Gradients => largestGradients[Math.Min(1, Trained)];

    private static int[] Before(IEnumerable<int> counts)
    {
        int sum = 0;
        return [0, .. counts.Select(count => sum += count)];
    }
}
