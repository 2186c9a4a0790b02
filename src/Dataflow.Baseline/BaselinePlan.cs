using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>Everything that the published system decides from.</summary>
/// <param name="Model">What it trains.</param>
/// <param name="Machine">What it trains on.</param>
/// <param name="Seqlen">Tokens of a sequence.</param>
/// <param name="Budget">Device and host memory, in bytes, that the plan may take.</param>
public sealed record BaselineRequest(ModelConfig Model, BaselineMachine Machine, int Seqlen, MemoryBudget Budget);

/// <summary>Why the published system does not run a request.</summary>
public enum BaselineLimit
{
    /// <summary>What stays on the device during the whole step exceeds the device budget.</summary>
    Sticky,

    /// <summary>A block, its gradients and two chunks' activations do not fit beside it.</summary>
    Minimum,

    /// <summary>The model's state exceeds the host budget.</summary>
    HostBase,

    /// <summary>So does the least that every chunk must save.</summary>
    InputOnly,

    /// <summary>Less than one layer leaves the device and not all of it can be saved well: the published system divides by zero.</summary>
    Placement,

    /// <summary>No slot for a block's optimizer state.</summary>
    OptimizerSlots,

    /// <summary>The finished plan takes more than a budget.</summary>
    FinalCheck,
}

/// <summary>What the published system makes of a request.</summary>
public abstract record BaselineResult
{
    private BaselineResult()
    {
    }

    /// <summary>It runs.</summary>
    public sealed record Feasible(BaselinePlan Plan) : BaselineResult;

    /// <summary>It does not; the reason is a sentence for people.</summary>
    public sealed record Infeasible(BaselineLimit Limit, string Reason) : BaselineResult;
}

/// <summary>The decisions of the published system.</summary>
public sealed record BaselinePlan
{
    /// <summary>What it was decided from.</summary>
    public required BaselineRequest Request { get; init; }

    /// <summary>How sequences are cut or packed into chunks.</summary>
    public required Chunking Chunking { get; init; }

    /// <summary>Sizes of a chunk's activations of one layer, by level.</summary>
    public required ActivationSizes Activations { get; init; }

    /// <summary>Part of <see cref="Sticky"/>: of libraries and attention.</summary>
    public required Bytes Workspace { get; init; }

    /// <summary>What stays on the device during the whole step, as estimated before anything is placed.</summary>
    public required Bytes Sticky { get; init; }

    /// <summary>What the rest of device memory is split into.</summary>
    public required DeviceSplit Device { get; init; }

    /// <summary>The levels that the system reports and counts recomputation with.</summary>
    public required LevelCounts Counted { get; init; }

    /// <summary>The levels that chunks really get; where windows do not divide evenly, fewer are saved in full.</summary>
    public required LevelPlacement Placement { get; init; }

    /// <summary>Of a step. The rule's choice; another is a plan too.</summary>
    public required int Rounds { get; init; }

    /// <summary>Pairs of moment blocks that fit where activations lie during the rounds; may exceed the layers.</summary>
    public required int OptimizerSlots { get; init; }

    /// <summary>Host memory, levels as placed.</summary>
    public required Bytes UsedHost { get; init; }

    /// <summary>Device memory with the padding between its parts.</summary>
    public required Bytes UsedDevice { get; init; }

    /// <summary>Whole rounds make a step.</summary>
    public int SequencesPerStep => checked(Rounds * Chunking.SequencesPerRound);

    /// <summary>The head takes a whole chunk at a time.</summary>
    public Geometry Geometry => new(
        Request.Seqlen, SequencesPerStep, Chunking.ChunkTokens, Chunking.ChunksPerRound, Rounds, HeadTokens: Chunking.ChunkTokens);

    /// <summary>What becomes of a round's activations, as the published system counts them.</summary>
    public SaveCounts Saved => new(Device.DevicePairs, Counted.InputOnly, Counted.Attention, Counted.Full);

    /// <summary>What a round computes again, as the published system counts it.</summary>
    public RecomputedFlops RecomputedInRound => RecomputedFlops.Of(Request, Chunking, Counted, Placement);

    /// <summary>The published measures of a step that takes so long.</summary>
    public Throughput ThroughputAt(double stepSeconds) => Throughput.Of(
        Request.Model, Request.Seqlen, SequencesPerStep, Rounds * RecomputedInRound.Total, stepSeconds, Request.Machine.PeakFlopsPerSecond);

    /// <summary>Pairs of layer and chunk are ordered as the forward passes them.</summary>
    public int PairOf(Layer layer, Chunk chunk) => (layer.Index * Chunking.ChunksPerRound) + chunk.Index;

    /// <summary>Whether the pair's activations never leave the device: the last pairs of the forward, kept in full.</summary>
    public bool StaysOnDevice(Layer layer, Chunk chunk) => PairOf(layer, chunk) >= Device.HomePairs;

    /// <summary>What the pair's forward keeps for its backward.</summary>
    public SaveLevel LevelOf(Layer layer, Chunk chunk) =>
        StaysOnDevice(layer, chunk) ? SaveLevel.Full : Placement.Levels[PairOf(layer, chunk)];
}
