using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>What a plan spends spare device memory on.</summary>
internal enum Spending
{
    /// <summary>More slots for optimizer state on its way, so that it comes before it is needed.</summary>
    OptimizerRing,

    /// <summary>Activations that stay.</summary>
    Activations,

    /// <summary>Parameters that stay.</summary>
    Weights,

    /// <summary>Gradients that stay from round to round.</summary>
    Gradients,

    /// <summary>Optimizer state that stays.</summary>
    Moments,

    /// <summary>Embedding and head with slots of their own.</summary>
    Vocabulary,
}

/// <summary>
/// Residencies of one workload in a fixed order, each with at least the device memory and at most the host memory of the one before: from a
/// start, spending goes through its kinds in an order of its own, each in a few stops until nothing of its kind is left to keep.
/// </summary>
internal sealed class PlanFamily : ResidencySequence
{
    private static readonly int s_kinds = Enum.GetValues<Spending>().Length;
    private readonly int most;
    private readonly Residency start;
    private readonly (int First, int[] Stops)[] stages; // by kind

    /// <param name="geometry">The workload with what is known of it.</param>
    /// <param name="start">The residency that spends nothing yet.</param>
    /// <param name="most">Stops of the kind of spending that has most.</param>
    /// <param name="order">Of the kinds of spending, each once at most.</param>
    public PlanFamily(SearchGeometry geometry, Residency start, int most, params Spending[] order)
    {
        (Geometry, this.start, this.most) = (geometry, start, most);
        stages = new (int, int[])[s_kinds];
        Array.Fill(stages, (0, []));
        Count = 1;
        foreach (var kind in order)
        {
            stages[(int)kind] = (Count - 1, Stops(kind));
            Count += stages[(int)kind].Stops.Length;
        }
    }

    /// <summary>The workload with what is known of it.</summary>
    public SearchGeometry Geometry { get; }

    /// <inheritdoc/>
    public override int Count { get; }

    /// <inheritdoc/>
    public override Residency this[int index]
    {
        get
        {
            int At(Spending kind, int before)
            {
                var (first, stops) = stages[(int)kind];
                int taken = Math.Min(index - first, stops.Length);
                return taken <= 0 ? before : stops[taken - 1];
            }

            return start with
            {
                OptimizerSlots = At(Spending.OptimizerRing, start.OptimizerSlots),
                ResidentChunks = At(Spending.Activations, start.ResidentChunks),
                WeightSlots = At(Spending.Weights, start.WeightSlots),
                ResidentGradients = At(Spending.Gradients, start.ResidentGradients),
                ResidentPieces = At(Spending.Moments, start.ResidentPieces),
                VocabularyResident = start.VocabularyResident || At(Spending.Vocabulary, 0) == 1,
            };
        }
    }

    /// <inheritdoc/>
    protected override Footprint Measure(Residency residency) => Geometry.Sizes.Of(residency);

    private int[] Stops(Spending kind)
    {
        var (workload, layers) = (Geometry.Workload, Geometry.Workload.Model.LayerCount);
        var sizes = Geometry.Sizes;
        bool training = workload.Kind.Updates();
        return kind switch
        {
            Spending.OptimizerRing => training
                ? [.. new[] { 4, 8, 16 }.Where(n => n > start.OptimizerSlots && n <= Geometry.Sizes.Pieces)]
                : [],
            Spending.Activations => start.WindowSegments > 1 ? [] : Even(0, sizes.LayersWithBackward * sizes.Chunks, most),
            Spending.Weights => Even(start.WeightSlots, layers, most / 2),
            Spending.Gradients => training && (workload.Geometry.Rounds > 1 || workload.Kind == WorkloadKind.ClippedTraining)
                ? Even(0, sizes.LayersWithGradients, most / 2)
                : [],
            Spending.Moments => training ? Even(0, Geometry.Sizes.Pieces, most / 2) : [],
            Spending.Vocabulary => Geometry.VocabularyMayStay && !start.VocabularyResident ? [1] : [],
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no kind of spending"),
        };
    }

    /// <summary>Up to so many numbers above the first up to the last.</summary>
    private static int[] Even(int first, int last, int most)
    {
        int count = Math.Min(most, last - first);
        return count <= 0 ? [] : [.. Enumerable.Range(1, count).Select(i => first + (int)((long)(last - first) * i / count))];
    }
}
