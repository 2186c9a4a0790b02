using System.Text.Json;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>One folder of tests/golden: a model, its tokens, and what PyTorch made of them in float64.</summary>
public sealed class GoldenCase : PyTorchCase
{
    private const double Noise = 1e-6;
    private static readonly (string, int, float) s_first = ("model.layers.0.mlp.router.bias", 3, 0.0058f);
    private static readonly (string, int, float) s_second = ("model.layers.1.mlp.router.bias", 3, 0.01f);

    /// <summary>All folders.</summary>
    public static readonly string[] Names = ["llama-small", "qwen3-small", "llama-long", "llama-hd64", "qwen3-hd128", "llama-documents"];

    /// <summary>Opens the case of that name.</summary>
    public GoldenCase(string name)
        : this(Cases(), name)
    {
    }

    private GoldenCase(string cases, string name)
        : base(Path.Combine(cases, name), _ => ModelFiles.LoadConfig(Path.Combine(cases, name)))
    {
    }

    /// <summary>The case of that name in the folder of families.</summary>
    public static GoldenCase OfFamily(string name) => new(FamilyCases(), name);

    /// <summary>Names of those of families.</summary>
    public static IEnumerable<string> Families =>
        Directory.GetDirectories(FamilyCases()).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal);

    /// <summary>Those that can have an adapter: not with latent attention, where it is refused.</summary>
    public static IEnumerable<string> AdaptedFamilies => Families.Where(f => OfFamily(f).Model.Latent is null);

    /// <summary>
    /// Mixtures in which bf16 sends tokens to other experts than float64 does, as two scores differ by less than bf16's rounding of what
    /// they are of: whether it does so is an accident of the order of sums, and PyTorch's yardstick is of a run in which none did. Ways to
    /// change weights so that in fp32 tokens go where bf16 may send them; none: all tokens go where float64 sends them.
    /// </summary>
    public IReadOnlyList<(string Tensor, int Element, float By)[]> Nudges =>
        Name switch
        {
            "gpt-oss" => [[s_first], [s_second], [s_first, s_second]],
            "granite-hybrid-experts" => [[("model.layers.1.block_sparse_moe.router.layer.weight", 151, 0.004f)]],
            "granitemoe-shared" => [[("model.layers.0.block_sparse_moe.router.layer.weight", 107, 0.004f)]],
            "hunyuan-v1-moe" => [[("model.layers.1.mlp.gate.wg.weight", 70, -0.016f)]],
            _ => [],
        };

    /// <summary>How far tensors are from others, all together.</summary>
    public static double Together(Dictionary<string, float[]> got, Dictionary<string, float[]> want) =>
        RelativeL2([.. want.Keys.SelectMany(k => got[Alone(k)])], [.. want.Values.SelectMany(v => v)]);

    /// <summary>
    /// Cases of which PyTorch's own error in bf16 is that of the best of ten seeds, as those who made them say: unscaled scores and norms
    /// behind products magnify roundings, and what a run makes of that is an accident of the seed. With the values of each tensor in 39
    /// other orders the worst tensor of gemma4-wrapped is off by 0.074 to 1.7, and half of the time by more than 0.17; PyTorch's figure is
    /// 0.079. So the best of ten seeds is held to that figure as other cases are, and the case as it is, 0.23, to one of its own.
    /// </summary>
    public static IReadOnlyList<string> BestOfSeedsInBf16 { get; } = ["gemma4-wrapped"];

    /// <summary>What the worst tensor of these may be off by, halved.</summary>
    public const double BestOfSeedsError = 0.15;

    /// <summary>The name that a tensor has where the language model stands alone.</summary>
    public static string Alone(string name) =>
        name.StartsWith("language_model.", StringComparison.Ordinal) ? name["language_model.".Length..]
        : name.StartsWith("model.language_model.", StringComparison.Ordinal) ? "model." + name["model.language_model.".Length..]
        : name;

    /// <summary>
    /// Cases whose vocabulary has room for blocks of 128 rows, tied and untied, each in two and three of them; the last one may be a single
    /// row.
    /// </summary>
    public static TheoryData<string, int> CutFor(Func<string, bool> wanted)
    {
        var data = new TheoryData<string, int>();
        foreach (string name in new[] { "llama-small", "qwen3-small", "llama-long", "llama-documents" }.Where(wanted))
        {
            data.Add(name, 2);
            data.Add(name, 3);
        }

        return data;
    }

    /// <summary>By which the requests of all cases have their attention computed, where it is for them; null: by our own kernels.</summary>
    public static CudnnTarget? Cudnn { get; set; }

    /// <summary>A prompt, what follows it, greedy and without a cache, and how far the best logit is above the second each time.</summary>
    public (int[] Prompt, int[] Ids, double[] Gaps) Generation
    {
        get
        {
            var all = JsonDocument.Parse(System.IO.File.ReadAllText(Path.Combine(Folder, "generation.json"))).RootElement;
            T[] Get<T>(string name, Func<JsonElement, T> read) => [.. all.GetProperty(name).EnumerateArray().Select(read)];
            return (Get("prompt", e => e.GetInt32()), Get("ids", e => e.GetInt32()), Get("gaps", e => e.GetDouble()));
        }
    }

    /// <summary>PyTorch's own relative errors of all tensors: the worst, and that of all together.</summary>
    public (double Worst, double All) PyTorchErrors(string precision, string what)
    {
        var errors = Expected.GetProperty(precision).GetProperty(what);
        return (errors.GetProperty("worst").GetDouble(), errors.GetProperty("all_tensors").GetDouble());
    }

    /// <summary>PyTorch's own relative error of the loss.</summary>
    public double PyTorchLossError(string precision) =>
        Math.Abs((Expected.GetProperty(precision).GetProperty("loss").GetDouble() - Loss) / Loss);

    /// <summary>Inputs of a row.</summary>
    public int[] Row(int row)
    {
        int[] ids = new int[Seqlen + 1];
        Tokens().Read(row, ids);
        return ids[..Seqlen];
    }

    /// <summary>What a plan for the case depends on.</summary>
    public PlanRequest Request(
        Recipe recipe,
        WorkloadKind kind,
        MemoryBudget? budget = null,
        GeometryPins? pins = null,
        SaveSet? saved = null
    ) =>
        new(Model, recipe, kind, Seqlen, Rows, pins ?? new GeometryPins(), budget ?? Roomy, saved)
        {
            Attention = Cudnn is { } target ? new AttentionByCudnn(target, Pinned: false) : null,
        };

    /// <summary>More than any case needs.</summary>
    public static MemoryBudget Roomy { get; } = new(Bytes.FromGiB(4), Bytes.FromGiB(4));

    /// <summary>The plan, which there is.</summary>
    public static TrainingPlan Plan(PlanRequest request) => Planner.Plan(request) switch
    {
        PlanResult.Feasible f => f.Plan,
        PlanResult.Infeasible i => throw new InvalidOperationException(i.Reason),
        _ => throw new InvalidOperationException("no result"),
    };

    /// <summary>The plan whose device budget is the least that works with that geometry.</summary>
    public static TrainingPlan Tight(PlanRequest request)
    {
        var (device, _) = Planner.Smallest(request);
        return Plan(request with { Budget = request.Budget with { Device = device!.Value } });
    }

    /// <summary>A trainer with the case's weights.</summary>
    public Trainer Trainer(TrainingPlan plan, IDevice device, Executor? evaluation = null)
    {
        using var checkpoint = Checkpoint.Open(Folder);
        checkpoint.Check(Model);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device, evaluation);
        trainer.Load(checkpoint.WeightsOf(plan.Workload.Model));
        return trainer;
    }

    /// <summary>All weights of a source under the checkpoint's names.</summary>
    public static Dictionary<string, float[]> Tensors(IWeightSource source) =>
        WeightNames.Enumerate(source.Model).ToDictionary(b => b.Name, b =>
        {
            var values = new float[b.ElementCount];
            b.Read(source, 0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            return values;
        });

    /// <summary>|got - want| / |want| in float64.</summary>
    public static double RelativeL2(float[] got, float[] want)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < want.Length; i++)
        {
            difference += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
            norm += (double)want[i] * want[i];
        }

        return Math.Sqrt(difference / norm);
    }

    /// <summary>
    /// How far weights are from where they should be, relative to how far they should have moved. Elements whose first gradient is nothing
    /// but rounding, below 1e-6 of their tensor's root mean square, are left out: AdamW makes whole steps of them.
    /// </summary>
    public static double RelativeChange(float[] got, float[] want, float[] start, float[] gradient)
    {
        double scale = Math.Sqrt(gradient.Sum(g => (double)g * g) / gradient.Length), difference = 0, norm = 0;
        for (int i = 0; i < want.Length; i++)
        {
            if (Math.Abs(gradient[i]) >= Noise * scale)
            {
                difference += Math.Pow((double)got[i] - want[i], 2);
                norm += Math.Pow((double)want[i] - start[i], 2);
            }
        }

        return norm == 0 ? 0 : Math.Sqrt(difference / norm);
    }

    private static string FamilyCases() => Environment.GetEnvironmentVariable("DATAFLOW_FAMILIES") ?? Cases() + "-families";

    /// <summary>The folder of the cases: beside the program, or tests/golden of the checkout that it was built in.</summary>
    private static string Cases()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            foreach (string place in new[] { "golden", Path.Combine("tests", "golden") })
            {
                if (System.IO.File.Exists(Path.Combine(folder.FullName, place, Names[0], "expected.json")))
                {
                    return Path.Combine(folder.FullName, place);
                }
            }
        }

        throw new InvalidOperationException(
            $"no folder golden with the case {Names[0]} beside {AppContext.BaseDirectory} or in a folder above: copy tests/golden there"
        );
    }
}
