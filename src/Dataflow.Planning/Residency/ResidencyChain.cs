using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>How many slots everything that travels takes turns in.</summary>
internal enum Tier
{
    /// <summary>As few as one op needs: save, fetch and compute wait in turn.</summary>
    Bare,

    /// <summary>Two of each, so that copies run beside compute.</summary>
    Doubled,

    /// <summary>Two of each, and residual streams and their gradients for a whole round.</summary>
    WholeRound,
}

/// <summary>
/// Residencies in a fixed order, each with at least the device memory and at most the host memory of the one before: whole activations of
/// ever more layers stay, then parameters, gradients and optimizer state, then embedding and head (the order in which a byte
/// saves most time). Budgets only say how far along the chain a plan may go, so that more memory never plans less.
/// </summary>
internal sealed class ResidencyChain : ResidencySequence
{
    private readonly MemorySizes sizes;
    private readonly Residency start;
    private readonly int[] stages;

    /// <param name="sizes">Of its workload; shared by all chains of it, for one thread at a time.</param>
    /// <param name="saved">Tensors that travelling activations keep.</param>
    /// <param name="tier">How many slots take turns.</param>
    /// <param name="segments">Segments that windows are streamed by; 1: whole windows.</param>
    public ResidencyChain(MemorySizes sizes, SaveSet saved, Tier tier, int segments = 1)
    {
        (this.sizes, Tier) = (sizes, tier);
        var (workload, programs, geometry) = (Workload, Programs, Workload.Geometry);
        bool training = workload.Kind.Updates();
        int layers = workload.Model.LayerCount, chunks = geometry.ChunksPerRound;
        int ring = tier == Tier.Bare ? 1 : 2;
        int blocks = VocabularyMemory.BlockCount(programs);
        bool cut = programs.Vocabulary.AreCut;
        start = new Residency
        {
            Travelling = saved,
            ResidentChunks = 0,
            WeightSlots = Math.Min(ring, layers),
            GradientSlots = geometry.Rounds == 1 && workload.Kind == WorkloadKind.Training ? 1 : ring,
            ResidentGradients = 0,
            OptimizerSlots = ring,
            ResidentPieces = 0,
            VocabularyResident = cut && ring >= blocks,
            VocabularySlots = cut ? Math.Min(ring, blocks) : 1,
            StreamSlots = tier == Tier.WholeRound ? chunks + 2 : ring + 1,
            ActivationSlots = ring,
            WindowSlots = Math.Min(ring, workload.Kind == WorkloadKind.Generation ? sizes.LayersWithWindows : ring),
            WindowSegments = segments,
            GradStreamSlots = tier == Tier.WholeRound ? chunks : Math.Min(ring, chunks),
        };
        bool backward = workload.Kind.HasBackward();
        start = backward ? start : start with { ResidentSet = SaveSet.None };
        stages =
        [
            segments > 1 || !backward ? 0 : sizes.LayersWithBackward * geometry.GroupsPerRound,
            Math.Max(layers, sizes.Experts?.Count ?? 0) - start.WeightSlots,
            training && (geometry.Rounds > 1 || workload.Kind == WorkloadKind.ClippedTraining) ? sizes.LayersWithGradients : 0,
            training ? sizes.Pieces : 0,
            (cut ? ring < blocks : !workload.Model.TiedEmbedding) ? 1 : 0,
            workload.Kind == WorkloadKind.Generation ? sizes.LayersWithWindows - start.WindowSlots : 0,
        ];
    }

    /// <summary>The workload of all its residencies.</summary>
    public Workload Workload => sizes.Workload;

    /// <summary>The programs of that.</summary>
    public BlockPrograms Programs => sizes.Programs;

    /// <summary>The tier of all its residencies.</summary>
    public Tier Tier { get; }

    /// <inheritdoc/>
    public override int Count => stages.Sum() + 1;

    /// <inheritdoc/>
    public override Residency this[int index]
    {
        get
        {
            int Take(int stage)
            {
                int taken = Math.Min(index, stages[stage]);
                index -= taken;
                return taken;
            }

            // Where nothing but layers passes, again and again, a step fetches embedding and head for a few rows of either: they stay
            // first, then what would travel both ways.
            bool forwardOnly = !Workload.Kind.HasBackward();
            bool vocabulary = forwardOnly && Take(4) == 1;
            int windows = Take(5);
            return start with
            {
                WindowSlots = start.WindowSlots + windows,
                ResidentChunks = Take(0) * Workload.Geometry.ChunksPerGroup,
                WeightSlots = start.WeightSlots + Take(1),
                ResidentGradients = Take(2),
                ResidentPieces = Take(3),
                VocabularyResident = start.VocabularyResident || vocabulary || (!forwardOnly && Take(4) == 1),
            };
        }
    }

    /// <inheritdoc/>
    protected override Footprint Measure(Residency residency) => sizes.Of(residency);
}
