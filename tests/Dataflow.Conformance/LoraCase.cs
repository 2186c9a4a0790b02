using System.Text.Json;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>One folder of tests/golden-lora: an adapter, its base, and what PEFT made of them in float64.</summary>
public sealed class LoraCase
{
    private readonly JsonElement expected;
    private readonly string from;

    /// <summary>Opens the case of that name.</summary>
    public LoraCase(string name)
    {
        Folder = Path.Combine(Root, name);
        expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "expected.json"))).RootElement;
        from = Path.Combine(Folder, expected.GetProperty("base").GetString()!);
        Seqlen = expected.GetProperty("seqlen").GetInt32();
        Rows = expected.GetProperty("sequences").GetInt32();
        Model = ModelFiles.LoadConfig(from).Adapting(AdapterFolder.ConfigOf(AdapterPath));
    }

    /// <summary>All cases.</summary>
    public static IEnumerable<string> Names =>
        Directory
            .GetDirectories(Root)
            .Where(f => File.Exists(Path.Combine(f, "expected.json")))
            .Select(f => Path.GetFileName(f))
            .Order(StringComparer.Ordinal);

    /// <summary>Of the adapter, the tokens and the results.</summary>
    public string Folder { get; }

    /// <summary>The adapter's folder.</summary>
    public string AdapterPath => Path.Combine(Folder, "adapter");

    /// <summary>The folder of the base.</summary>
    public string BasePath => from;

    /// <summary>The base with its adapter.</summary>
    public ModelConfig Model { get; private init; }

    /// <summary>The same adapter, of whose inputs a share is left out.</summary>
    public LoraCase WithDropout(double rate) =>
        new(Path.GetFileName(Folder)) { Model = Model.WithoutAdapter().Adapting(Model.Adapter!.Config with { Dropout = rate }) };

    /// <summary>Tokens of a row.</summary>
    public int Seqlen { get; }

    /// <summary>Rows of the step.</summary>
    public int Rows { get; }

    /// <summary>Their numbers.</summary>
    public int[] AllRows => [.. Enumerable.Range(0, Rows)];

    /// <summary>Of the first step.</summary>
    public double Loss => expected.GetProperty("loss").GetDouble();

    /// <summary>Before each of five steps.</summary>
    public double[] Losses => [.. expected.GetProperty("losses_before_each_step").EnumerateArray().Select(l => l.GetDouble())];

    /// <summary>Of the five steps.</summary>
    public OptimizerSettings AdamW
    {
        get
        {
            var a = expected.GetProperty("adamw");
            float Get(string key) => (float)a.GetProperty(key).GetDouble();
            return new OptimizerSettings(Get("lr"), Get("beta1"), Get("beta2"), Get("eps"), Get("weight_decay"));
        }
    }

    /// <summary>PyTorch's own relative error of a tensor in fp32.</summary>
    public double PyTorchError(string what, string tensor) =>
        expected.GetProperty("pytorch_float32").GetProperty(what).GetProperty("per_tensor").GetProperty(tensor).GetDouble();

    /// <summary>The case's own.</summary>
    public ITokenSource Tokens() => TokenSources.Open(Folder, Seqlen, Model.VocabSize);

    /// <summary>What a plan for the case depends on.</summary>
    public PlanRequest Request(Recipe recipe, WorkloadKind kind, GeometryPins? pins = null) =>
        new(Model, recipe, kind, Seqlen, Rows, pins ?? new GeometryPins(), GoldenCase.Roomy, null);

    /// <summary>A trainer with the weights of base and adapter.</summary>
    public Trainer Trainer(TrainingPlan plan, IDevice device, Executor? evaluation = null, ulong seed = 0)
    {
        var trainer = new Trainer(plan.Workload, plan.Schedule, device, evaluation, seed);
        using var checkpoint = Checkpoint.Open(from);
        using var adapter = AdapterFolder.Open(AdapterPath);
        trainer.Load(adapter.On(checkpoint.WeightsOf(plan.Workload.Model)));
        return trainer;
    }

    /// <summary>The tensors of one of the case's files.</summary>
    public Dictionary<string, float[]> Tensors(string name)
    {
        using var file = SafetensorsFile.Open(Path.Combine(Folder, name));
        return file.Tensors.ToDictionary(t => t.Name, t =>
        {
            var values = new float[t.Count];
            t.ReadElements(0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            return values;
        });
    }

    private static string Root => new GoldenCase("llama-small").Folder is var folder ? Path.GetDirectoryName(folder) + "-lora" : "";
}
