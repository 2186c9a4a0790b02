using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>What a user asked to have planned. Null is left to the program.</summary>
internal sealed record PlanSettings(
    string ModelPath, int Seqlen, Bytes? Device, Bytes? Host, Recipe? GivenRecipe, long? GlobalBatch, GeometryPins Pins, SaveSet? SaveSet,
    HardwareProfile? Hardware = null)
{
    private const int DefaultStepTokens = 8192;

    /// <summary>The most that the gradients' global norm may be; null leaves them alone.</summary>
    public float? ClipNorm { get; init; }

    /// <summary>The run takes place on a GPU, or on an emulated one.</summary>
    public bool OnGpu { get; init; }

    /// <summary>What was given, else the machine's default, whatever the budgets.</summary>
    public Recipe Recipe => GivenRecipe ?? Recipe.DefaultOn(OnGpu ? HardwareKind.Gpu : Hardware?.Kind ?? HardwareKind.Cpu);

    /// <summary>The steps of a run: those that clip need all gradients before the first update.</summary>
    public WorkloadKind Kind => ClipNorm is null ? WorkloadKind.Training : WorkloadKind.ClippedTraining;

    /// <summary>The request to the planner.</summary>
    /// <param name="sourceRows">Rows that the data has, if there is data.</param>
    public PlanRequest Request(ModelConfig model, WorkloadKind kind, MemoryBudget budget, int? sourceRows = null)
    {
        var request = new PlanRequest(model, Recipe, kind, Seqlen, Rows: null, Pins, budget, SaveSet)
        {
            Reserve = Hardware?.Reserve ?? DeviceReserve.None,
        };
        return request with { Rows = Rows(request, sourceRows) };
    }

    /// <summary>
    /// The global batch, if one was given, or what hides the update on a GPU. Where chunks a round and rounds are pinned, as many rows as
    /// they hold (null: the planner counts them); else a step of the default size. Of data with fewer rows than that, all: then each step
    /// sees the same batch.
    /// </summary>
    private int? Rows(PlanRequest request, int? sourceRows)
    {
        if (GlobalBatch is { } tokens)
        {
            return tokens >= Seqlen && tokens % Seqlen == 0
                ? checked((int)(tokens / Seqlen))
                : throw new UserErrorException(
                    $"--global-batch is {tokens} tokens, which is no multiple of seqlen {Seqlen}; give whole rows, for example "
                        + $"{Math.Max(1, tokens / Seqlen) * Seqlen}"
                );
        }

        if (Pins.ChunksPerRound is null || Pins.Rounds is null)
        {
            int rows = Hardware is { Kind: HardwareKind.Gpu } gpu
                ? GlobalBatchRule.Rows(request.Model, Recipe, Seqlen, gpu)
                : Math.Max(1, DefaultStepTokens / Seqlen);
            return Math.Min(rows, sourceRows ?? int.MaxValue);
        }

        bool holdsAll =
            sourceRows is not null
            && Pins.ChunkTokens is not null
            && GeometryRule.Candidates(request)[0] is var full
            && full.Rows > sourceRows
            && sourceRows > (full.Rounds - 1) * full.RowsPerRound;
        return holdsAll ? sourceRows : null;
    }
}
