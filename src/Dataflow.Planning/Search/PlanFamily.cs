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
    private readonly int most;
    private readonly Residency start;
    private readonly (Spending Kind, int[] Stops)[] stages;

    /// <param name="geometry">The workload with what is known of it.</param>
    /// <param name="start">The residency that spends nothing yet.</param>
    /// <param name="most">Stops of the kind of spending that has most.</param>
    /// <param name="order">Of the kinds of spending.</param>
    public PlanFamily(SearchGeometry geometry, Residency start, int most, params Spending[] order)
    {
        (Geometry, this.start, this.most) = (geometry, start, most);
        stages = [.. order.Select(kind => (kind, Stops(kind)))];
        Count = 1 + stages.Sum(s => s.Stops.Length);
    }

    /// <summary>The workload with what is known of it.</summary>
    public SearchGeometry Geometry { get; }

    /// <inheritdoc/>
    public override int Count { get; }

    /// <inheritdoc/>
    public override Footprint FootprintAt(int index) => Geometry.Sizes.Of(this[index]);

    /// <inheritdoc/>
    public override Residency this[int index]
    {
        get
        {
            var residency = start;
            foreach (var (kind, stops) in stages)
            {
                int taken = Math.Min(index, stops.Length);
                residency = taken == 0 ? residency : With(residency, kind, stops[taken - 1]);
                index -= taken;
            }

            return residency;
        }
    }

    private static Residency With(Residency r, Spending kind, int value) => kind switch
    {
        Spending.OptimizerRing => r with { OptimizerSlots = value },
        Spending.Activations => r with { ResidentChunks = value },
        Spending.Weights => r with { WeightSlots = value },
        Spending.Gradients => r with { ResidentGradients = value },
        Spending.Moments => r with { ResidentPieces = value },
        Spending.Vocabulary => r with { VocabularyResident = true },
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no kind of spending"),
    };

    private int[] Stops(Spending kind)
    {
        var (workload, layers) = (Geometry.Workload, Geometry.Workload.Model.LayerCount);
        bool training = workload.Kind.Updates();
        return kind switch
        {
            Spending.OptimizerRing => training
                ? [.. new[] { 4, 8, 16 }.Where(n => n > start.OptimizerSlots && n <= Geometry.Sizes.Pieces)]
                : [],
            Spending.Activations => start.WindowSegments > 1 ? [] : Even(0, layers * workload.Geometry.ChunksPerRound, most),
            Spending.Weights => Even(start.WeightSlots, layers, most / 2),
            Spending.Gradients => training && (workload.Geometry.Rounds > 1 || workload.Kind == WorkloadKind.ClippedTraining)
                ? Even(0, layers, most / 2)
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
