using System.Text.Json.Nodes;
using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.GpuCheck;

/// <summary>
/// The GPU's memory as NVML counts it while steps run, less what was taken before, against the device budget: context, modules and library
/// workspaces are part of it. Another program that takes or frees memory meanwhile falsifies it; then the case is to be run again.
/// </summary>
internal sealed class MemoryStage : Stage
{
    private static readonly (string Name, string Model, int Seqlen, double DeviceGiB)[] s_cases =
        [("1b-8192-6", "1b", 8192, 6), ("1b-8192-12", "1b", 8192, 12), ("1b-8192-40", "1b", 8192, 40)];

    /// <inheritdoc/>
    public override string Name => "memory";

    /// <inheritdoc/>
    public override string Title => "NVML's peak against device budgets";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(90);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) =>
        settings.Emulated ? ["nano-64-least"] : [.. s_cases.Select(c => c.Name)];

    /// <inheritdoc/>
    public override TimeSpan ExpectedOf(string name) => TimeSpan.FromSeconds(25);

    /// <inheritdoc/>
    public override IReadOnlyList<string> FirstCases(CheckSettings settings) => [];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        var gpu = settings.OpenGpu();
        var (profile, _) = settings.ProfileFor(gpu);
        using var monitor = GpuMonitor.Open(gpu);
        long before = monitor.Memory().Used.Value;
        var plan = Plan(name, settings, profile);
        using var watch = new MemoryWatch(monitor, settings.Poll);
        var model = plan.Workload.Model;
        int rows = plan.Workload.Geometry.Rows;
        var tokens = new RandomTokens(rows, plan.Workload.Geometry.Seqlen, model.VocabSize);
        var weights = WeightInitialiser.Weights(model, 0);
        var (losses, _) = StepRun.Steps(settings, gpu, plan, weights, tokens, Optimizer.AdamW.Defaults, 2, _ => 0);
        long peak = watch.Stop() - before;
        var arena = plan.DevicePeak - plan.Reserved;
        long budget = plan.Budget.Device.Value;
        string detail =
            $"peak {new Bytes(peak)} of a budget of {plan.Budget.Device}: arena {arena}, beside it {new Bytes(peak - arena.Value)} (the "
                + $"profile reserves {plan.Reserved}); loss {losses[^1]:0.0000}";
        return CaseResult.Of(
            peak <= budget && peak >= arena.Value,
            peak < arena.Value ? $"{detail}; less than the arena: NVML was not seen to count it" : detail,
            new JsonObject
            {
                ["peak_bytes"] = peak,
                ["budget_bytes"] = budget,
                ["arena_bytes"] = arena.Value,
                ["beside_arena_bytes"] = peak - arena.Value,
                ["reserved_bytes"] = plan.Reserved.Value,
                ["nvml"] = watch.ToJson(),
                ["plan_hash"] = plan.Hash,
            }
        );
    }

    private static TrainingPlan Plan(string name, CheckSettings settings, HardwareProfile profile)
    {
        if (settings.Emulated)
        {
            using var nano = ModelSource.Open(Path.Combine(CheckSettings.Root, "models", "nano.json"));
            var small = new PlanRequest(
                nano.Model,
                Recipe.Bf16,
                WorkloadKind.Training,
                64,
                2,
                new GeometryPins(),
                new MemoryBudget(Bytes.FromGiB(1), Bytes.FromGiB(2))
            )
            {
                // Calibrating the emulation measures no reserve, and the context counts there too.
                Reserve = HardwareFiles.All().Single(p => p.IsCalled("h200")).Reserve,
            };
            return StepRun.Tight(small);
        }

        var (_, model, seqlen, gib) = s_cases.Single(c => c.Name == name);
        using var source = ModelSource.Open(Path.Combine(CheckSettings.Root, "models", model + ".json"));
        return StepRun.Plan(
            new PlanRequest(
                source.Model,
                Recipe.Bf16,
                WorkloadKind.Training,
                seqlen,
                8,
                new GeometryPins(),
                new MemoryBudget(Bytes.FromGiB(64), Bytes.FromGiB(gib))
            )
            {
                Reserve = profile.Reserve,
            }
        );
    }
}
