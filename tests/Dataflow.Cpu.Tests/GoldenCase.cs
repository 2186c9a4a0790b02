using System.Text.Json;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Cpu.Tests;

/// <summary>One folder of tests/golden: a model, its tokens, and what PyTorch made of them in float64.</summary>
internal sealed class GoldenCase
{
    public static readonly string[] Names = ["llama-small", "qwen3-small", "llama-long", "llama-hd64", "qwen3-hd128", "llama-documents"];

    /// <summary>Cases whose vocabulary has room for blocks of 128 rows, tied and untied, each in two and three of them; the last one may be a single row.</summary>
    public static TheoryData<string, int> Cut
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (string name in new[] { "llama-small", "qwen3-small", "llama-long", "llama-documents" })
            {
                data.Add(name, 2);
                data.Add(name, 3);
            }

            return data;
        }
    }

    private readonly JsonElement expected;

    public GoldenCase(string name)
    {
        Folder = Path.Combine(Root(), "tests", "golden", name);
        Model = ModelFiles.LoadConfig(Folder);
        expected = JsonDocument.Parse(System.IO.File.ReadAllText(Path.Combine(Folder, "expected.json"))).RootElement;
        Seqlen = expected.GetProperty("seqlen").GetInt32();
        Rows = expected.GetProperty("sequences").GetInt32();
    }

    public string Folder { get; }

    public ModelConfig Model { get; }

    public int Seqlen { get; }

    public int Rows { get; }

    public double Loss => expected.GetProperty("loss").GetDouble();

    public double[] Losses => [.. expected.GetProperty("losses_before_each_step").EnumerateArray().Select(l => l.GetDouble())];

    public AdamWSettings AdamW
    {
        get
        {
            var a = expected.GetProperty("adamw");
            float Get(string key) => (float)a.GetProperty(key).GetDouble();
            return new AdamWSettings(Get("lr"), Get("beta1"), Get("beta2"), Get("eps"), Get("weight_decay"));
        }
    }

    /// <summary>PyTorch's own relative error of a tensor: "gradient_relative_l2" or "adamw_change_relative_l2".</summary>
    public double PyTorchError(string precision, string what, string tensor) =>
        expected.GetProperty(precision).GetProperty(what).GetProperty("per_tensor").GetProperty(tensor).GetDouble();

    public ITokenSource Tokens() => TokenSources.Open(Folder, Seqlen, Model.VocabSize);

    public PlanRequest Request(Recipe recipe, WorkloadKind kind, MemoryBudget? budget = null, GeometryPins? pins = null, TensorSet? saved = null) =>
        new(Model, recipe, kind, Seqlen, Rows, pins ?? new GeometryPins(), budget ?? Roomy, saved);

    public static MemoryBudget Roomy { get; } = new(Bytes.FromGiB(4), Bytes.FromGiB(4));

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

    /// <summary>Loss and gradients of one step, under the checkpoint's names.</summary>
    public (double Loss, Dictionary<string, float[]> Gradients) Gradients(TrainingPlan plan, int? interleaving = null, int threads = 2)
    {
        using IDevice device = interleaving is { } seed
            ? new InterleavedCpuDevice(plan.Schedule, plan.Workload, threads, seed)
            : new CpuDevice(plan.Schedule, plan.Workload, threads);
        var trainer = Trainer(plan, device);
        var report = trainer.Step(Tokens(), [.. Enumerable.Range(0, Rows)], AdamW);
        return (report.Loss, Tensors(trainer.Gradients));
    }

    public Trainer Trainer(TrainingPlan plan, IDevice device, Executor? evaluation = null)
    {
        using var checkpoint = Checkpoint.Open(Folder);
        checkpoint.Check(Model);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device, evaluation);
        trainer.Load(checkpoint.WeightsOf(Model));
        return trainer;
    }

    public Dictionary<string, float[]> File(string name)
    {
        using var file = SafetensorsFile.Open(Path.Combine(Folder, name));
        return file.Tensors.ToDictionary(t => t.Name, t =>
        {
            var values = new float[t.Count];
            t.ReadElements(0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            return values;
        });
    }

    public static Dictionary<string, float[]> Tensors(IWeightSource source) =>
        WeightNames.Enumerate(source.Model).ToDictionary(b => b.Name, b =>
        {
            var values = new float[b.ElementCount];
            source.Read(b.Object, b.ElementOffset, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
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

    public static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!System.IO.File.Exists(Path.Combine(folder, "Dataflow.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("no Dataflow.sln above the tests");
        }

        return folder;
    }
}
