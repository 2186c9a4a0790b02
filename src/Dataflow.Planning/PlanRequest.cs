using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>What a user may fix of the geometry; null is the planner's choice.</summary>
public sealed record GeometryPins(
    int? ChunkTokens = null, int? ChunksPerRound = null, int? Rounds = null, int? VocabularyBlocks = null, int? HeadTokens = null)
{
    /// <summary>Groups that the experts of a mixture lie in as objects of their own; null: those that fit, if one has to.</summary>
    public int? ExpertGroups { get; init; }
}

/// <summary>Everything that a plan depends on.</summary>
/// <param name="Model">What is trained or evaluated.</param>
/// <param name="Recipe">The dtypes of parameters, gradients, moments and activations.</param>
/// <param name="Kind">What a step does.</param>
/// <param name="Seqlen">Tokens of a row.</param>
/// <param name="Rows">Rows of a step; null: as many as the pinned geometry holds, or the default step.</param>
/// <param name="Pins">What is fixed of the geometry.</param>
/// <param name="Budget">Device and host memory that the plan may take.</param>
/// <param name="SaveSet">The tensors that travelling activations keep; null is the planner's choice.</param>
public sealed record PlanRequest(
    ModelConfig Model,
    Recipe Recipe,
    WorkloadKind Kind,
    int Seqlen,
    int? Rows,
    GeometryPins Pins,
    MemoryBudget Budget,
    SaveSet? SaveSet = null
)
{
    /// <summary>
    /// Device memory that is taken beside the arena: the driver's context, modules, library workspaces, page tables. Part of the device
    /// budget.
    /// </summary>
    public DeviceReserve Reserve { get; init; }

    /// <summary>
    /// Where sequences are continued: what is kept of them. Seqlen is then the most tokens that a step may take, and rows are not asked
    /// for.
    /// </summary>
    public CacheRequest? Cache { get; init; }

    /// <summary>Whether each target has a weight of its own, which chunks' tables hold.</summary>
    public bool TargetWeights { get; init; }

    /// <summary>Whether a row's documents are pairs, whose loss is one of the sums of both.</summary>
    public bool Pairs { get; init; }

    /// <summary>By which attention is computed, of geometries and layers that it is for; null: by our own kernels.</summary>
    public AttentionByCudnn? Attention { get; init; }

    /// <summary>How parameters are updated, where they are.</summary>
    public Optimizer Optimizer { get; init; } = Optimizer.AdamW;

    /// <summary>What is planned, with one of its geometries.</summary>
    internal Workload In(Geometry geometry) => new(Model, Recipe, geometry, Kind) { Optimizer = Optimizer };
}

/// <summary>Attention by cuDNN.</summary>
/// <param name="Target">The release and the GPU that a plan is for.</param>
/// <param name="Pinned">Whether it was asked for: then geometries that it is not for are left out.</param>
public sealed record AttentionByCudnn(CudnnTarget Target, bool Pinned);

/// <summary>Sequences that are continued side by side.</summary>
/// <param name="Sequences">How many.</param>
/// <param name="Length">Tokens of each whose keys and values are kept.</param>
/// <param name="Logits">Tokens of a step whose logits may be asked for.</param>
public sealed record CacheRequest(int Sequences, int Length, int Logits)
{
    /// <summary>Rows of the cache.</summary>
    public long Rows => (long)Sequences * Length;
}

/// <summary>What planning yields: a plan, or why there is none.</summary>
public abstract record PlanResult
{
    private PlanResult()
    {
    }

    /// <summary>A plan within both budgets.</summary>
    public sealed record Feasible(TrainingPlan Plan) : PlanResult;

    /// <summary>
    /// No plan fits. Reason is a sentence for people: the memory that binds and the smallest budget that works.
    /// SmallestDevice is the least device memory that works at the given host memory, or, if none does, at unlimited host memory;
    /// SmallestHost the other way round. Pairs are budgets that work and of which neither memory can be less: two where more of
    /// either memory alone would do, otherwise one.
    /// </summary>
    public sealed record Infeasible(string Reason, Bytes SmallestDevice, Bytes SmallestHost, ImmutableArray<MemoryBudget> Pairs)
        : PlanResult
    {
        /// <summary>
        /// What else could be asked for within the budgets, as written on the command line; each was tried. Empty where nobody looked.
        /// </summary>
        public ImmutableArray<string> Changes { get; init; } = [];
    }
}
