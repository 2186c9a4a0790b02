using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>What is asked to be planned, by the names of the command line's options. Null is left to the library.</summary>
public sealed record PlanOptions
{
    private const int DefaultStepTokens = 8192;
    private readonly DeviceOptions? device;

    /// <summary>The model: a JSON config, a folder with a config.json, or the name of one that comes with the library.</summary>
    public required string Model { get; init; }

    /// <summary>Tokens of a sequence.</summary>
    public required int Seqlen { get; init; }

    /// <summary>Device memory budget; by default a GPU's own, or a quarter of the free memory of a CPU.</summary>
    public Bytes? DeviceMemory { get; init; }

    /// <summary>Host memory budget; by default 80% of what is free, on a CPU less the device budget.</summary>
    public Bytes? HostMemory { get; init; }

    /// <summary>How numbers are stored; by default bf16-sr on a GPU, fp32 on a CPU.</summary>
    public Recipe? Dtype { get; init; }

    /// <summary>How parameters are updated.</summary>
    public Optimizer Optimizer { get; init; } = Optimizer.AdamW;

    /// <summary>Tokens of a step, a multiple of <see cref="Seqlen"/>; by default 8,192, or as many as hide the update on a GPU.</summary>
    public long? GlobalBatch { get; init; }

    /// <summary>By what the load-balancing loss of experts counts, 0 for none; by default as the model's file says.</summary>
    public double? BalanceWeight { get; init; }

    /// <summary>By what the router z-loss counts: a token's square of the logsumexp of a router's logits, its mean; by default 0.</summary>
    public double? RouterZWeight { get; init; }

    /// <summary>Tokens processed together.</summary>
    public int? Chunk { get; init; }

    /// <summary>Chunks that pass a layer before any of them passes the next.</summary>
    public int? ChunksPerRound { get; init; }

    /// <summary>Rounds of a step.</summary>
    public int? Rounds { get; init; }

    /// <summary>Blocks in which embedding and head are computed and travel.</summary>
    public int? VocabularyBlocks { get; init; }

    /// <summary>Tokens whose logits are computed together.</summary>
    public int? HeadTokens { get; init; }

    /// <summary>What the forward pass keeps of activations that travel.</summary>
    public SaveSet? SaveSet { get; init; }

    /// <summary>The machine that is planned for; by default this one.</summary>
    public HardwareProfile? Hardware { get; init; }

    /// <summary>Whether each target has a weight of its own; a run takes it from its <see cref="TrainingOptions.Source"/>.</summary>
    public bool TargetWeights { get; init; }

    /// <summary>Who computes attention on a GPU; by default who is faster by the machine's profile.</summary>
    public AttentionProvider? Attention { get; init; }

    /// <summary>Whether rows are of pairs of answers; a run takes it from its <see cref="TrainingOptions.Preference"/>.</summary>
    public bool Pairs { get; init; }

    /// <summary>The most that the gradients' global norm may be; null leaves them alone.</summary>
    public float? Clip { get; init; }

    /// <summary>Patterns of names of the tensors that training leaves as they are.</summary>
    public IReadOnlyList<string> Freeze { get; init; } = [];

    /// <summary>The adapter that is trained, or used, in the place of the model's own weights; null: none.</summary>
    public AdapterOptions? Adapter { get; init; }

    /// <summary>
    /// What matrices of layers are stored in that an adapter leaves as they are, or that are only read, one of
    /// <see cref="DTypes.OfBase"/>; null: bf16 where an adapter is trained and the model's files have them so, else as the recipe says.
    /// </summary>
    public DType? BaseWeights { get; init; }

    /// <summary>Who plans; by default auto where the machine has a profile.</summary>
    public PlanPolicy? Policy { get; init; }

    /// <summary>Use nothing that an earlier run found or measured, and keep nothing for later ones.</summary>
    public bool NoCache { get; init; }

    /// <summary>Where it runs, or would run; by default the first NVIDIA GPU, or the CPU where there is none.</summary>
    public DeviceOptions Device
    {
        // Not looked for before it is asked for: a process has the real driver or the emulated one, whichever it opens first.
        get => device ?? DeviceOptions.Auto;
        init => device = value;
    }

    /// <summary>What is fixed of the geometry.</summary>
    public GeometryPins Pins
    {
        get => new(Chunk, ChunksPerRound, Rounds, VocabularyBlocks, HeadTokens);
        init => (Chunk, ChunksPerRound, Rounds, VocabularyBlocks, HeadTokens) = value;
    }

    /// <summary>The geometry of the run that is gone on with, whose attention stays as it is; null: none is.</summary>
    internal Geometry? Continued { get; init; }

    /// <summary>Whether rows of the data hold several documents.</summary>
    internal bool IsPacked { get; init; }

    /// <summary>The machine as it was named, for those who go on with the run.</summary>
    internal string? HardwareName { get; init; }

    /// <summary>What was given, else the machine's default, whatever the budgets.</summary>
    public Recipe Recipe =>
        Dtype ?? Recipe.DefaultOn(Device.Kind != DeviceKind.Cpu ? HardwareKind.Gpu : Hardware?.Kind ?? HardwareKind.Cpu);

    /// <summary>The steps of a run: those that clip need all gradients before the first update.</summary>
    public WorkloadKind Kind => Clip is null ? WorkloadKind.Training : WorkloadKind.ClippedTraining;

    /// <summary>With a machine by its name, or by the path of its profile.</summary>
    /// <exception cref="UserErrorException">There is no such profile.</exception>
    public PlanOptions WithHardware(string nameOrPath) => this with
    {
        Hardware = HardwareFiles.Load(nameOrPath),
        HardwareName = File.Exists(nameOrPath) ? Path.GetFullPath(nameOrPath) : nameOrPath,
    };

    /// <summary>As it is run by this program: on a CPU our own kernels compute attention, whatever machine the plan is for.</summary>
    /// <param name="isPacked">Whether rows of the data hold several documents.</param>
    internal PlanOptions Running(bool isPacked) => this with
    {
        IsPacked = isPacked,
        Attention = Device.Kind == DeviceKind.Cpu ? Attention ?? AttentionProvider.Own : Attention,
    };

    /// <summary>With the profile of the GPU that it runs on, where no machine was named.</summary>
    /// <exception cref="UserErrorException">There is no profile of the GPU.</exception>
    /// <exception cref="MachineException">There is no GPU.</exception>
    internal PlanOptions Completed => Device.Kind == DeviceKind.Cuda && Hardware is null
        ? this with { Hardware = HardwareFiles.OfGpu(Device.Gpu!.Name) }
        : this;

    /// <summary>Who plans, for which machine.</summary>
    /// <exception cref="UserErrorException">Auto was asked for, and there is no profile.</exception>
    internal PolicySettings By => PolicySettings.Choose(
        Policy, Hardware ?? HardwareFiles.ThisMachine(Device.Kind, named: null), NoCache ? PlanCache.None : PlanCache.OfThisMachine);

    /// <summary>What was asked for, where it is not the recipe's type.</summary>
    internal DType? Base => BaseWeights is { } type && type != Recipe.Parameters ? type : null;

    /// <summary>A model with what is frozen of it, its adapter and what its base is stored in, unless it has these already.</summary>
    /// <exception cref="UserErrorException">It cannot be.</exception>
    public ModelConfig Trained(ModelConfig model)
    {
        ArgumentNullException.ThrowIfNull(model);
        model = model.AskedBalanceWeight is null ? model.Balancing(BalanceWeight) : model;
        model = model.RouterZWeight > 0 ? model : model.WithRouterZLoss(RouterZWeight);
        model = model.Frozen is null ? model.Freezing(Freeze) : model;
        model = model.Adapter is null && Adapter is { } adapter ? model.Adapting(adapter.Resolved) : model;
        return model.BaseWeights is null && Base is { } type ? model.Storing(type) : model;
    }

    /// <summary>The request to the planner.</summary>
    /// <param name="model">What is trained or evaluated.</param>
    /// <param name="kind">What a step does.</param>
    /// <param name="budget">Device and host memory that the plan may take.</param>
    /// <param name="sourceRows">Rows that the data has, if there is data.</param>
    /// <exception cref="UserErrorException">What is to be frozen cannot be, or the step is no whole number of rows.</exception>
    public PlanRequest Request(ModelConfig model, WorkloadKind kind, MemoryBudget budget, int? sourceRows = null)
    {
        if (BaseWeights is { } stored && kind.HasBackward() && Trained(model).Adapter is null)
        {
            throw new UserErrorException(
                $"--base-weights {stored.Name()}: a model that is trained as a whole has no base that stays as it is; give --lora-rank or "
                    + "--adapter"
            );
        }

        var request = new PlanRequest(Trained(model), Recipe, kind, Seqlen, Rows: null, Pins, budget, SaveSet)
        {
            Reserve = Hardware?.Reserve ?? DeviceReserve.None,
            Optimizer = Optimizer,
            TargetWeights = TargetWeights,
            Attention = kind == WorkloadKind.Generation ? null : AttentionProviders.Of(this, model),
            Pairs = Pairs,
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
                ? GlobalBatchRule.Rows(request.Model, Recipe, Optimizer, Seqlen, gpu)
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
