using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.GpuCheck;

/// <summary>
/// Gradients of the golden cases against PyTorch's in float64, within the bounds that the CPU device is held to: 1e-5 in fp32 (the loss
/// 1e-6), and in bf16 twice what PyTorch's own bf16 run errs, tensor by tensor.
/// </summary>
internal sealed class GoldenStage : Stage
{
    private const double GradientBound = 1e-5;
    private const double LossBound = 1e-6;
    private const double Bf16Factor = 2;

    private static readonly Recipe[] s_recipes = [Recipe.Fp32, Recipe.Bf16];

    // Chunks that cut sequences: context windows and several chunks a round are part of the case.
    private static readonly (string Name, int Chunk)[] s_cases =
        [("llama-small", 64), ("qwen3-small", 48), ("llama-long", 128), ("llama-documents", 48), ("llama-hd64", 64), ("qwen3-hd128", 160)];

    private static readonly string[] s_byCudnn = [$"llama-hd64-bf16{StepRun.ByCudnn}", $"qwen3-hd128-bf16{StepRun.ByCudnn}"];

    /// <inheritdoc/>
    public override string Name => "golden";

    /// <inheritdoc/>
    public override string Title => "gradients against PyTorch in float64";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(120);

    /// <inheritdoc/>
    public override TimeSpan ExpectedOf(string name) => TimeSpan.FromSeconds(4);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) =>
        [.. s_cases.SelectMany(c => s_recipes.Select(r => $"{c.Name}-{r.Name}")), .. s_byCudnn];

    /// <inheritdoc/>
    public override IReadOnlyList<string> UsualCases(CheckSettings settings) =>
        settings.Emulated ? ["llama-small-fp32", "llama-hd64-bf16", s_byCudnn[0]] : Cases(settings);

    /// <summary>
    /// A small one in either format and the heads of the published models, by either attention: what is wrong with the math shows in one.
    /// </summary>
    public override IReadOnlyList<string> FirstCases(CheckSettings settings) =>
        settings.Emulated ? UsualCases(settings) : ["llama-small-fp32", "llama-documents-bf16", "qwen3-hd128-bf16", s_byCudnn[1]];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        var (folder, chunk) = s_cases.Single(c => name.StartsWith(c.Name + "-", StringComparison.Ordinal));
        var recipe = s_recipes.Single(r => StepRun.Named(name) == $"{folder}-{r.Name}");
        var golden = GoldenFolder.Open(folder);
        var attention = StepRun.AttentionOf(name, settings.OpenGpu());

        // Whole rows, whose backward cuDNN computes, too.
        var request = golden.Request(recipe, attention is null ? chunk : golden.Seqlen) with { Attention = attention };
        var plan = StepRun.Tight(request);
        using var checkpoint = Checkpoint.Open(golden.Path);
        var (losses, gradients) = StepRun.Steps(
            settings,
            settings.OpenGpu(),
            plan,
            checkpoint.WeightsOf(golden.Model),
            golden.Tokens(),
            Optimizer.AdamW.Defaults,
            1,
            t => StepRun.Tensors(t.Gradients)
        );

        bool exact = recipe == Recipe.Fp32;
        double loss = Math.Abs(losses[0] - golden.Loss) / golden.Loss;
        double worst = 0;
        var faults = new List<string>();
        foreach (var (tensor, want) in golden.Gradients())
        {
            double error = RelativeL2(gradients[tensor], want);
            double share = error / (exact ? GradientBound : Bf16Factor * golden.PyTorchBf16Error(tensor));
            worst = Math.Max(worst, share);
            if (!(share <= 1))
            {
                faults.Add($"{tensor} errs by {error:0.0e+0}");
            }
        }

        if (exact && !(loss <= LossBound))
        {
            faults.Add($"the loss errs by {loss:0.0e+0}");
        }

        string detail = faults.Count == 0
            ? $"loss {losses[0]:0.000000}, off by {loss:0.0e+0}; the worst tensor errs by {worst:0%} of its bound"
            : $"{faults.Count} of {gradients.Count + 1} are out of bounds: {string.Join("; ", faults.Take(3))}";
        return CaseResult.Of(faults.Count == 0, detail, new JsonObject
        {
            ["loss"] = losses[0],
            ["loss_relative_error"] = loss,
            ["worst_share_of_bound"] = worst,
            ["plan_hash"] = plan.Hash,
        });
    }

    /// <summary>|got - want| / |want|.</summary>
    private static double RelativeL2(float[] got, float[] want)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < want.Length; i++)
        {
            difference += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
            norm += (double)want[i] * want[i];
        }

        return Math.Sqrt(difference / norm);
    }
}

/// <summary>A folder of tests/golden.</summary>
internal sealed record GoldenFolder(string Path, ModelConfig Model, int Seqlen, int Rows, double Loss, JsonElement Expected)
{
    /// <summary>By its name.</summary>
    public static GoldenFolder Open(string name)
    {
        string path = System.IO.Path.Combine(CheckSettings.Root, "tests", "golden", name);
        var expected = JsonDocument.Parse(File.ReadAllText(System.IO.Path.Combine(path, "expected.json"))).RootElement;
        return new GoldenFolder(
            path,
            ModelFiles.LoadConfig(path),
            expected.GetProperty("seqlen").GetInt32(),
            expected.GetProperty("sequences").GetInt32(),
            expected.GetProperty("loss").GetDouble(),
            expected
        );
    }

    /// <summary>Its tokens.</summary>
    public ITokenSource Tokens() => TokenSources.Open(Path, Seqlen, Model.VocabSize);

    /// <summary>A request for its gradients, with memory to spare.</summary>
    public PlanRequest Request(Recipe recipe, int chunk) => new(
        Model, recipe, WorkloadKind.Gradients, Seqlen, Rows, new GeometryPins(chunk), new MemoryBudget(Bytes.FromGiB(4), Bytes.FromGiB(4)));

    /// <summary>What PyTorch found in float64.</summary>
    public IEnumerable<(string Name, float[] Values)> Gradients()
    {
        using var file = SafetensorsFile.Open(System.IO.Path.Combine(Path, "gradients.safetensors"));
        foreach (var tensor in file.Tensors)
        {
            var values = new float[tensor.Count];
            tensor.ReadElements(0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            yield return (tensor.Name, values);
        }
    }

    /// <summary>The relative error of PyTorch's own gradient in bf16.</summary>
    public double PyTorchBf16Error(string tensor) =>
        Expected
            .GetProperty("pytorch_bfloat16")
            .GetProperty("gradient_relative_l2")
            .GetProperty("per_tensor")
            .GetProperty(tensor)
            .GetDouble();
}
