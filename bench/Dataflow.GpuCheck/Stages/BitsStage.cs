using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.GpuCheck;

/// <summary>The same bits under other budgets and save sets, and in every run: losses and gradients, or weights after steps of training.</summary>
internal sealed class BitsStage : Stage
{
    private const int Steps = 2;

    /// <inheritdoc/>
    public override string Name => "bits";

    /// <inheritdoc/>
    public override string Title => "bit-identity over budgets, save sets and repeats";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(120);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) => settings.Emulated
        ? ["gradients-llama-small-fp32", "training-nano-bf16"]
        : ["gradients-qwen3-small-fp32", "gradients-llama-hd64-bf16", "gradients-qwen3-hd128-bf16", "training-8b-2-layers-bf16", "training-1b-2-layers-bf16"];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        var recipe = Recipe.All.Single(r => name.EndsWith("-" + r.Name, StringComparison.Ordinal));
        string model = name[(name.IndexOf('-', StringComparison.Ordinal) + 1)..^(recipe.Name.Length + 1)];
        if (name.StartsWith("gradients-", StringComparison.Ordinal))
        {
            var golden = GoldenFolder.Open(model);
            using var checkpoint = Checkpoint.Open(golden.Path);
            return Compare(settings, golden.Request(recipe, 64), checkpoint.WeightsOf(golden.Model), golden.Tokens(), 1, t => StepRun.Tensors(t.Gradients), say);
        }

        var config = Config(model);
        int seqlen = settings.Emulated ? 32 : 4096;
        var tokens = new RandomTokens(settings.Emulated ? 4 : 16, seqlen, config.VocabSize);
        var request = new PlanRequest(
            config, recipe, WorkloadKind.Training, seqlen, settings.Emulated ? 2 : 8, new GeometryPins(settings.Emulated ? 32 : 4096),
            new MemoryBudget(Bytes.FromGiB(settings.Emulated ? 1 : 48), Bytes.FromGiB(settings.Emulated ? 1 : 32)));
        return Compare(settings, request, WeightInitialiser.Weights(config, 1), tokens, Steps, t => StepRun.Tensors(t.Weights), say);
    }

    // Layers of the published sizes, few of them: all shapes and none of the waiting.
    private static ModelConfig Config(string name)
    {
        const string few = "-2-layers";
        bool cut = name.EndsWith(few, StringComparison.Ordinal);
        using var source = Cli.ModelSource.Open(Path.Combine(CheckSettings.Root, "models", (cut ? name[..^few.Length] : name) + ".json"));
        return cut ? source.Model with { LayerCount = 2, VocabSize = 32000 } : source.Model;
    }

    private static CaseResult Compare(
        CheckSettings settings, PlanRequest request, IWeightSource weights, ITokenSource tokens, int steps, Func<Trainer, Dictionary<string, float[]>> yields, Action<string> say)
    {
        var gpu = settings.OpenGpu();
        var roomy = StepRun.Plan(request);
        var pinned = StepRun.Pinned(request, roomy);
        (string What, TrainingPlan Plan)[] runs =
        [
            ("again", roomy), ("with the least device memory", StepRun.Tight(pinned)),
            ("with the least device memory, keeping nothing", StepRun.Tight(pinned with { SaveSet = TensorSet.None })),
            ("keeping keys, values and attention", StepRun.Plan(pinned with { SaveSet = TensorSet.Kv | TensorSet.Attention })),
        ];
        var (losses, first) = StepRun.Steps(settings, gpu, roomy, weights, tokens, AdamWSettings.Default, steps, yields);
        var faults = new List<string>();
        foreach (var (what, plan) in runs)
        {
            var (others, again) = StepRun.Steps(settings, gpu, plan, weights, tokens, AdamWSettings.Default, steps, yields);
            var differ = StepRun.Differences(first, again);
            bool same = differ.Count == 0 && losses.SequenceEqual(others);
            say($"{what}: device {plan.DevicePeak}, host {plan.HostPeak}: {(same ? "the same bits" : $"{differ.Count} of {first.Count} tensors differ")}");
            if (!same)
            {
                faults.Add($"{what}: {(differ.Count > 0 ? $"{differ.Count} of {first.Count} tensors differ, {differ[0]} first" : "losses differ")}");
            }
        }

        return CaseResult.Of(faults.Count == 0, faults.Count == 0
                ? $"{runs.Length + 1} runs of {steps} step{(steps > 1 ? "s" : "")} between {roomy.DevicePeak} and {runs[1].Plan.DevicePeak} of device memory: the same bits, loss {losses[^1]:0.0000}"
                : string.Join("; ", faults),
            new JsonObject { ["losses"] = new JsonArray([.. losses.Select(l => (JsonNode)l)]), ["runs"] = runs.Length + 1 });
    }
}
