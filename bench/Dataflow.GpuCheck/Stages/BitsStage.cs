using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.GpuCheck;

/// <summary>
/// The same bits under other budgets and save sets, under policy auto, and in every run: losses and gradients, or weights after steps of
/// training.
/// </summary>
internal sealed class BitsStage : Stage
{
    private const int Steps = 2;
    private static readonly GeometryPins s_emulatedRounds = new(ChunkTokens: 16, ChunksPerRound: 2, Rounds: 4);
    private static readonly GeometryPins s_rounds = new(ChunkTokens: 4096, ChunksPerRound: 2, Rounds: 4);

    /// <inheritdoc/>
    public override string Name => "bits";

    /// <inheritdoc/>
    public override string Title => "bit-identity over budgets, save sets, policies and repeats";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(120);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) =>
        settings.Emulated
            ? ["gradients-llama-small-fp32", "gradients-llama-hd64-bf16-cudnn", "training-nano-bf16", "searched-32-nano-bf16"]
            :
            [
                "gradients-qwen3-small-fp32",
                "gradients-llama-hd64-bf16",
                "gradients-qwen3-hd128-bf16",
                "gradients-qwen3-hd128-bf16-cudnn",
                "training-8b-2-layers-bf16",
                "training-1b-2-layers-bf16",
                "searched-4096-1b-8-layers-bf16",
                "searched-8192-1b-8-layers-bf16",
            ];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        var attention = StepRun.AttentionOf(name, settings.OpenGpu());
        name = StepRun.Named(name);
        var recipe = Recipe.All.Single(r => name.EndsWith("-" + r.Name, StringComparison.Ordinal));
        string[] parts = name[..^(recipe.Name.Length + 1)].Split('-', 2);
        if (parts[0] == "gradients")
        {
            var golden = GoldenFolder.Open(parts[1]);
            using var checkpoint = Checkpoint.Open(golden.Path);
            return Compare(
                settings,
                OverBudgets(golden.Request(recipe, 64) with { Attention = attention }),
                checkpoint.WeightsOf(golden.Model),
                golden.Tokens(),
                1,
                t => StepRun.Tensors(t.Gradients),
                say
            );
        }

        bool searched = parts[0] == "searched";
        parts = searched ? parts[1].Split('-', 2) : parts;
        var config = Config(parts[1]);
        int seqlen =
            searched ? int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture)
            : settings.Emulated ? 32
            : 4096;
        var pins = searched
            ? settings.Emulated
                ? s_emulatedRounds
                : s_rounds
            : new GeometryPins(settings.Emulated ? 32 : 4096);
        int rows =
            searched ? pins.ChunkTokens!.Value * pins.ChunksPerRound!.Value * pins.Rounds!.Value / seqlen
            : settings.Emulated ? 2
            : 8;
        var request = new PlanRequest(
            config,
            recipe,
            WorkloadKind.Training,
            seqlen,
            rows,
            pins,
            new MemoryBudget(Bytes.FromGiB(settings.Emulated ? 1 : 48), Bytes.FromGiB(settings.Emulated ? 1 : 32))
        );
        return Compare(
            settings,
            searched ? OfSearch(request, settings) : OverBudgets(request),
            WeightInitialiser.Weights(config, 1),
            new RandomTokens(2 * rows, seqlen, config.VocabSize),
            Steps,
            t => StepRun.Tensors(t.Weights),
            say
        );
    }

    // Layers of the published sizes, few of them: all shapes and none of the waiting.
    private static ModelConfig Config(string name)
    {
        string[] parts = name.Split('-');
        bool cut = parts is [_, _, "layers"];
        using var source = ModelSource.Open(Path.Combine(CheckSettings.Root, "models", parts[0] + ".json"));
        return cut
            ? source.Model with
            {
                LayerCount = int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture),
                VocabSize = 32000,
            }
            : source.Model;
    }

    /// <summary>What is run, the first of which says what the bits are; and what none of it shows that should be.</summary>
    private sealed record Runs(IReadOnlyList<(string What, TrainingPlan Plan)> Plans, IReadOnlyList<string> Unseen);

    private static Runs OverBudgets(PlanRequest request)
    {
        var roomy = StepRun.Plan(request);
        var pinned = StepRun.Pinned(request, roomy);
        return new Runs(
            [
                ("first", roomy), ("again", roomy), ("with the least device memory", StepRun.Tight(pinned)),
                ("with the least device memory, keeping nothing", StepRun.Tight(pinned with { SaveSet = SaveSet.None })),
                ("keeping keys, values and attention", StepRun.Plan(pinned with { SaveSet = SaveSet.Kv | SaveSet.Attention })),
            ],
            []);
    }

    private static Runs OfSearch(PlanRequest request, CheckSettings settings)
    {
        var roomy = StepRun.Plan(request);
        var searched = SearchedPlans.Of(StepRun.Pinned(request, roomy), settings.Emulated ? 2 : 5);
        return new Runs(
            [("first", roomy), .. searched.Select(s => (s.Traits, s.Plan))],
            [
                .. SearchedPlans
                    .Traits.Where(t => !searched.Any(s => s.Traits.Contains(t, StringComparison.Ordinal)))
                    .Select(t => $"no plan was found with {t}"),
            ]
        );
    }

    private static CaseResult Compare(
        CheckSettings settings,
        Runs runs,
        IWeightSource weights,
        ITokenSource tokens,
        int steps,
        Func<Trainer, Dictionary<string, float[]>> yields,
        Action<string> say
    )
    {
        var gpu = settings.OpenGpu();
        var plans = runs.Plans;
        var (losses, first) = StepRun.Steps(settings, gpu, plans[0].Plan, weights, tokens, Optimizer.AdamW.Defaults, steps, yields);
        var faults = runs.Unseen.ToList();
        foreach (var (what, plan) in plans.Skip(1))
        {
            var (others, again) = StepRun.Steps(settings, gpu, plan, weights, tokens, Optimizer.AdamW.Defaults, steps, yields);
            var differ = StepRun.Differences(first, again);
            bool same = differ.Count == 0 && losses.SequenceEqual(others);
            say(
                $"{what}: device {plan.DevicePeak}, host {plan.HostPeak}: "
                    + $"{(same ? "the same bits" : $"{differ.Count} of {first.Count} tensors differ")}"
            );
            if (!same)
            {
                faults.Add(
                    $"{what}: {(differ.Count > 0 ? $"{differ.Count} of {first.Count} tensors differ, {differ[0]} first" : "losses differ")}"
                );
            }
        }

        return CaseResult.Of(faults.Count == 0, faults.Count == 0
                ? $"{plans.Count} runs of {steps} step{(steps > 1 ? "s" : "")} between {plans.Max(p => p.Plan.DevicePeak)} and "
                    + $"{plans.Min(p => p.Plan.DevicePeak)} of device memory: the same bits, loss {losses[^1]:0.0000}"
                : string.Join("; ", faults),
            new JsonObject { ["losses"] = new JsonArray([.. losses.Select(l => (JsonNode)l)]), ["runs"] = plans.Count });
    }
}
