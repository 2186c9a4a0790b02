using System.CommandLine;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>The options that every plan has: number format, step size, and what is fixed of the geometry.</summary>
internal sealed class GeometryFlags
{
    private const int Most = GeometryLimits.Count;

    /// <summary>The most tokens of a step.</summary>
    public const int LargestStep = GeometryLimits.StepTokens;

    private readonly Option<Recipe?> recipe = Declare.Option(
        "--dtype", "fp32|bf16|bf16-sr|bf16-master",
        "how numbers are stored, and bytes a parameter: fp32 (16); bf16-sr (10), which rounds updates up or down at random so that small "
            + "ones count; "
            + "bf16-master (18), with fp32 weights and moments; bf16 (8), the benchmarks' one, which loses small updates [default: "
            + "bf16-sr on a GPU, fp32 on a CPU]",
        Values.RecipeNamed
    );

    private readonly Option<Optimizer?> optimizer = Declare.Option(
        "--optimizer",
        string.Join('|', Optimizer.All),
        "how parameters are updated: adamw; adamw-8bit, whose moments take a quarter; muon, which makes the updates of the layers' "
            + "matrices orthogonal and leaves the rest to adamw; lion, with half of the state and a third to a tenth of the learning rate; "
            + $"schedule-free, which trains an average and needs no schedule; sgd with momentum [default: {Optimizer.All[0]}]",
        Values.OptimizerNamed
    );

    private readonly Option<float?> ema = Declare.Option<float?>(
        HyperparameterFlags.Ema,
        "DECAY",
        "keep a moving average of the weights, which keeps so much of itself in a step, as 0.999; it is what is exported, and takes 4 "
            + "bytes a parameter",
        t => Values.Real(0, 1)(t)
    );

    private readonly Option<long?> globalBatch = Declare.Option<long?>(
        "--global-batch",
        "TOKENS",
        "tokens of a step, a multiple of --seqlen [default: 8k, or as many as hide the update on a GPU, at least 8k with an adapter; all "
            + "of the data if it has fewer]",
        t => Values.Tokens(t, 1, LargestStep)
    );

    private readonly Option<float?> clip = Declare.Option<float?>("--clip", "NORM", "scale gradients down to this global norm", t =>
        Values.Real(0, 1e9f, false)(t)
    );
    private readonly Option<string[]?> freeze = Declare.Several(
        "--freeze",
        "PATTERN",
        "leave the tensors of a checkpoint that are called so as they are, as in \"model.embed_tokens.*|model.layers.[0-15].*\": they have "
            + "no gradients and no optimizer state, and nothing goes back below the lowest layer that is trained; may be given again",
        t => NamePattern.Parse(t).Text
    );
    private readonly Option<double?> balance = Declare.Option<double?>(
        "--router-balance",
        "WEIGHT",
        "by what the load-balancing loss of a mixture's experts counts beside the targets' loss, 0 for none [default: as the model's "
            + "config says: router_aux_loss_coef where output_router_logits is true]",
        t => Values.RouterWeight(t)
    );
    private readonly Option<double?> routerZ = Declare.Option<double?>(
        "--router-z-loss",
        "WEIGHT",
        "by what the router z-loss counts beside the targets' loss: the square of the logsumexp of a token's router logits, its mean over "
            + "the step's tokens, summed over the sparse layers, as in 0.001 [default: 0, none]",
        t => Values.RouterWeight(t)
    );
    private readonly AdapterFlags adapter = new();
    private readonly Option<int?> chunk = Declare.Option<int?>("--chunk", "TOKENS", "tokens processed together", t =>
        (int)Values.Tokens(t, 1, Most)
    );
    private readonly Option<int?> chunksPerRound = Declare.Option(
        "--chunks-per-round",
        "N",
        "chunks that pass a layer before any of them passes the next",
        Values.OptionalCount(1, Most)
    );
    private readonly Option<int?> rounds = Declare.Option("--rounds", "N", "rounds of a step", Values.OptionalCount(1, Most));
    private readonly Option<int?> vocabularyBlocks = Declare.Option(
        "--vocabulary-blocks",
        "N",
        "blocks in which embedding and head are computed and travel",
        Values.OptionalCount(1, Most)
    );
    private readonly Option<int?> headTokens = Declare.Option(
        "--head-tokens",
        "N",
        "tokens whose logits are computed together",
        Values.OptionalCount(1, Most)
    );
    private readonly Option<AttentionProvider?> attention = Declare.Option<AttentionProvider?>(
        "--attention",
        AttentionProviders.Choices,
        "who computes attention on a GPU: our own kernels, or cuDNN 9 with bf16, bf16-sr and bf16-master, heads of 64 to 256 and rows of "
            + "one document each; what is not for it is computed by our own, and results differ by rounding [default: cudnn where "
            + "calibration found it faster, else own]",
        t => AttentionProviders.Named(t)
    );
    private readonly Option<string?> hardware = Declare.Option<string?>(
        "--hardware",
        "NAME",
        "the machine to plan for: a name in profiling/hardware or a profile's file [default: this machine]",
        Values.FilePath
    );
    private readonly Option<SaveSet?> saveSet = Declare.Option<SaveSet?>(
        "--save-set",
        "SET",
        $"what the forward pass keeps of activations that travel; the rest is recomputed: {SaveSets.Choices}",
        t => SaveSets.Parse(t)
    );

    /// <summary>Adds them to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="ofSteps">False where nothing is updated and the data says how many rows there are.</param>
    /// <param name="ofRows">False where sequences are continued token by token.</param>
    public void AddTo(Command command, bool ofSteps = true, bool ofRows = true)
    {
        command.Options.Add(recipe);
        if (ofSteps)
        {
            command.Options.Add(optimizer);
            command.Options.Add(ema);
            command.Options.Add(globalBatch);
            command.Options.Add(clip);
            command.Options.Add(freeze);
            command.Options.Add(balance);
            command.Options.Add(routerZ);
        }

        adapter.AddTo(command, ofSteps);

        command.Options.Add(chunk);
        if (ofRows)
        {
            command.Options.Add(chunksPerRound);
            command.Options.Add(rounds);
            command.Options.Add(headTokens);
            command.Options.Add(saveSet);
            command.Options.Add(attention);
        }

        command.Options.Add(vocabularyBlocks);
        command.Options.Add(hardware);
    }

    /// <summary>What was given.</summary>
    public PlanOptions Bind(ParseResult parsed, string model, int seqlen, Bytes? device, Bytes? host)
    {
        var plan = new PlanOptions
        {
            Model = model,
            Seqlen = seqlen,
            DeviceMemory = device,
            HostMemory = host,
            Dtype = parsed.GetValue(recipe),
            Optimizer = OfSteps(parsed) ? OptimizerOf(parsed) : Optimizer.AdamW,
            GlobalBatch = OfSteps(parsed) ? parsed.GetValue(globalBatch) : null,
            Chunk = parsed.GetValue(chunk),
            ChunksPerRound = OfRows(parsed) ? parsed.GetValue(chunksPerRound) : null,
            Rounds = OfRows(parsed) ? parsed.GetValue(rounds) : null,
            VocabularyBlocks = parsed.GetValue(vocabularyBlocks),
            HeadTokens = OfRows(parsed) ? parsed.GetValue(headTokens) : null,
            SaveSet = OfRows(parsed) ? parsed.GetValue(saveSet) : null,
            Attention = OfRows(parsed) ? parsed.GetValue(attention) : null,
            Clip = OfSteps(parsed) ? parsed.GetValue(clip) : null,
            BalanceWeight = OfSteps(parsed) ? parsed.GetValue(balance) : null,
            RouterZWeight = OfSteps(parsed) ? parsed.GetValue(routerZ) : null,
            Freeze = OfSteps(parsed) ? parsed.GetValue(freeze) ?? [] : [],
            Adapter = adapter.Bind(parsed),
            BaseWeights = adapter.Stored(parsed),
        };
        return parsed.GetValue(hardware) is { } name ? plan.WithHardware(name) : plan;
    }

    /// <summary>Whether a machine was named.</summary>
    public bool NamesHardware(ParseResult parsed) => parsed.GetValue(hardware) is not null;

    private Optimizer OptimizerOf(ParseResult parsed)
    {
        var named = parsed.GetValue(optimizer) ?? Optimizer.AdamW;
        return parsed.GetValue(ema) is null ? named
            : named.Averaged
            ?? throw new UserErrorException($"{named} trains an average already; leave {HyperparameterFlags.Ema} out");
    }

    private bool OfSteps(ParseResult parsed) => parsed.CommandResult.Command.Options.Contains(globalBatch);

    private bool OfRows(ParseResult parsed) => parsed.CommandResult.Command.Options.Contains(rounds);
}
