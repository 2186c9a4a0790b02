using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>
/// Everything that a search may choose, as families of residencies. A function of model, workload and pins, never of budgets. First the
/// families that run copies beside compute; then those for memories in which little fits: small chunks, cut vocabularies, streamed windows,
/// one slot of each.
/// </summary>
internal static class SearchSpace
{
    private const SaveSet Attention = SaveSet.Kv | SaveSet.Attention;
    private const SaveSet Residual = Attention | SaveSet.Query | SaveSet.Residual;

    // From this length on attention is so much of the work that its output is worth keeping where nothing else is.
    private const int LongSequence = 32768;
    private const int ManyStops = 32;
    private const int FewStops = 8;
    private const int MostInterleavedTokens = 65536;

    // With fewer, first and last rounds are most of the step.
    private const int FewRounds = 3;

    // A head sub-chunk that takes more memory is another geometry, with other bits: it has to compute so much less.
    private const double LeastOfWiderHead = 0.01;

    /// <summary>What travelling activations keep, from least to most; between two neighbours lie mixes.</summary>
    private static readonly SaveSet[] Ladder = [SaveSet.Kv, Attention, Residual, SaveSet.All];

    private static readonly Spending[][] Orders =
    [
        [Spending.OptimizerRing, Spending.Activations, Spending.Weights, Spending.Gradients, Spending.Moments, Spending.Vocabulary],
        [Spending.OptimizerRing, Spending.Vocabulary, Spending.Activations, Spending.Weights, Spending.Gradients, Spending.Moments],
        [Spending.OptimizerRing, Spending.Vocabulary, Spending.Weights, Spending.Gradients, Spending.Moments, Spending.Activations],
    ];

    /// <summary>All families, in an order that decides between equals.</summary>
    public static List<PlanFamily> Of(PlanRequest request, CostModel machine)
    {
        var families = new List<PlanFamily>();
        foreach (var geometry in GeometryRule.SearchCandidates(request))
        {
            var last = new SearchGeometry(request.In(geometry), machine);
            AddMain(families, request, last);
            foreach (var wider in GeometryRule.WiderHeads(request, geometry))
            {
                var next = new SearchGeometry(request.In(wider), machine);
                if (next.Estimate.Floor < last.Estimate.Floor * (1 - LeastOfWiderHead))
                {
                    last = next;
                    AddMain(families, request, next);
                }
            }
        }

        foreach (var geometry in GeometryRule.SmallCandidates(request))
        {
            AddSmall(families, request, new SearchGeometry(request.In(geometry), machine));
        }

        return families;
    }

    private static void AddMain(List<PlanFamily> families, PlanRequest request, SearchGeometry geometry)
    {
        var g = geometry.Workload.Geometry;
        // A backward that ends above the first layer has no forward of all layers beside it.
        bool interleaves =
            geometry.Workload.Model.LayersWithoutBackward == 0
            && g.Rounds > FewRounds
            && geometry.Workload.Kind.HasBackward()
            && (long)g.ChunkTokens * g.ChunksPerRound <= MostInterleavedTokens;
        SaveSet[] stays = g.Seqlen >= LongSequence ? [SaveSet.All, Residual, Attention] : [SaveSet.All];
        foreach (var (less, more, share) in Mixes(request))
        {
            foreach (var tier in g.ChunksPerRound > 4 ? new[] { Tier.WholeRound, Tier.Doubled } : [Tier.WholeRound])
            {
                var start = new ResidencyChain(geometry.Sizes, less, tier)[0] with
                {
                    TravellingMore = more,
                    MoreSixteenths = share,
                    ResidentsSpread = true,
                    GradientsRotate = true,
                    LastRoundKeepsLess = share > 0 && g.Rounds > FewRounds,
                };
                foreach (var stay in stays)
                {
                    var plain = start with { ResidentSet = Staying(stay, less, g) };
                    foreach (var order in Orders)
                    {
                        families.Add(new PlanFamily(geometry, plain, ManyStops, order));
                        if (interleaves && tier == Tier.WholeRound)
                        {
                            families.Add(new PlanFamily(geometry, plain.Interleaving(geometry.Workload), ManyStops, order));
                        }
                    }
                }
            }
        }
    }

    private static void AddSmall(List<PlanFamily> families, PlanRequest request, SearchGeometry geometry)
    {
        SaveSet[] sets = request.SaveSet is { } pinned ? [pinned] : [SaveSet.None, .. Ladder];
        foreach (var saved in sets)
        {
            foreach (var tier in new[] { Tier.WholeRound, Tier.Doubled, Tier.Bare })
            {
                foreach (int segments in SegmentRule.Counts(geometry.Workload, saved).Prepend(1))
                {
                    var start = new ResidencyChain(geometry.Sizes, saved, tier, segments)[0];
                    families.Add(
                        new PlanFamily(
                            geometry,
                            start with
                            {
                                ResidentSet = Staying(SaveSet.All, saved, geometry.Workload.Geometry),
                            },
                            FewStops,
                            Orders[0]
                        )
                    );
                }
            }
        }
    }

    /// <summary>Chunks that share a window all keep K and V, or none does.</summary>
    private static SaveSet Staying(SaveSet stays, SaveSet travels, Geometry geometry) =>
        geometry.ChunksPerGroup > 1 ? (stays & ~SaveSet.Kv) | (travels & SaveSet.Kv) : stays;

    /// <summary>Pairs of neighbours on the ladder with the share of the larger, in sixteenths.</summary>
    private static IEnumerable<(SaveSet Less, SaveSet More, int Share)> Mixes(PlanRequest request)
    {
        if (request.SaveSet is { } pinned)
        {
            yield return (pinned, pinned, 0);
            yield break;
        }

        yield return (SaveSet.None, SaveSet.None, 0);
        for (int i = 0; i + 1 < Ladder.Length; i++)
        {
            for (int share = 0; share < 16; share++)
            {
                yield return (Ladder[i], Ladder[i + 1], share);
            }
        }

        yield return (Ladder[^1], Ladder[^1], 0);
    }
}
